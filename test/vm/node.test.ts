/** A Node server in a machine, with the Node and the libc that are packed with it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { build } from "../../builder/api/build.ts";
import { writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { bundleCommand } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { EMULATED, freePort } from "../support/vm.ts";

const SERVER = `
import http from "node:http";
process.on("SIGTERM", () => process.exit(4));
http.createServer((request, response) => response.end("hello " + request.url)).listen(3000);
`;

skipUnless("vm")("answers at a published port, and ends by a signal as it likes", async () => {
  const dir = temporaryDirectory();
  const input = path.join(dir, "server");
  writeFiles(input, {
    "package.json": JSON.stringify({ name: "server", type: "module", main: "index.js" }),
    "index.js": SERVER,
  });
  const output = path.join(dir, "server.run");
  await build({ input, output, withLibs: true, libc: "pack" });
  const port = await freePort();
  const options = [...EMULATED, "--memory", "1G", "--publish", `${port}:3000`];
  const child = spawn(process.execPath, [bundleCommand, "vm", "run", output, ...options]);
  const ended = once(child, "close");
  let answer = "";
  while (answer === "" && child.exitCode === null) {
    answer = await fetch(`http://127.0.0.1:${port}/a`, { signal: AbortSignal.timeout(60_000) })
      .then((response) => response.text())
      .catch(() => "");
    if (answer === "") await sleep(200);
  }
  child.kill("SIGTERM");
  const [status] = await ended;
  expect([answer, status]).toEqual(["hello /a", 4]);
});
