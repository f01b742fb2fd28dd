/** Projects that others install or build anew while they are packed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, renameSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { build } from "../../../builder/api/build.ts";
import { BundleError } from "../../../builder/errors.ts";
import { writeFiles } from "../../support/case.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

/** Takes a package away and puts it back, until it is killed. */
const CHURN = `
const fs = require("node:fs");
const [from, to] = process.argv.slice(1);
const pause = (most) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.random() * most);
for (let i = 0; ; i++) {
  fs.renameSync(from, to);
  pause(2);
  fs.renameSync(to, from);
  pause(15);
  if (i === 0) console.log("at work");
}
`;

test("say of a file that it has gone, whenever it does", async () => {
  const dir = temporaryDirectory();
  const input = path.join(dir, "app");
  writeFiles(input, {
    "package.json": '{"name":"app","version":"1.0.0","main":"main.js"}',
    "main.js": 'require("dep")',
    "node_modules/dep/package.json": '{"name":"dep","version":"1.0.0","main":"i.js"}',
    "node_modules/dep/i.js": 'module.exports = require("./sub/x")',
    "node_modules/dep/sub/x.js": "module.exports = 2",
  });
  const place = path.join(input, "node_modules/dep");
  const away = path.join(dir, "away");
  const churning = spawn(process.execPath, ["-e", CHURN, place, away]);
  const failures: unknown[] = [];
  try {
    await once(churning.stdout, "data");
    for (let i = 0; i < 150; i++) {
      await build({
        ...{ input, output: path.join(dir, "app.run"), name: "app", arch: "x86_64" },
        ...{ node: "none", compileCache: false, cache: false },
      }).catch((cause: unknown) => failures.push(cause));
    }
  } finally {
    churning.kill("SIGKILL");
    await once(churning, "close");
    if (existsSync(away)) renameSync(away, place);
  }
  const strange = failures.filter(
    (cause) => !(cause instanceof BundleError) || cause.code === "E_INTERNAL",
  );
  expect(strange).toEqual([]);
});
