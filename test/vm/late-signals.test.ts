/** `bundle vm run` whose app has ended, and whose output is on its way to a reader that waits. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, vi } from "vitest";
import { missing, skipUnless } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { busyboxBundle, PATIENCE, processesWith, shellCommand } from "../support/vm.ts";

vi.setConfig({ testTimeout: PATIENCE });

const testVm = skipUnless("vm", "busybox");

/** Goes into the pipe of the app at once, so that it ends, and not into that of its reader. */
const BYTES = 120_000;
/** The app itself hears no signal. */
const SCRIPT = `trap "" TERM INT HUP; echo began >&2; head -c ${BYTES} /dev/zero; exit 7`;

let app: string;

beforeAll(async () => {
  if (missing("busybox") === undefined) app = await busyboxBundle();
});

/** The command with a pipe that nobody reads, when its app has begun. */
async function stuck(options: readonly string[] = []) {
  const fifo = path.join(temporaryDirectory(), "out");
  execFileSync("mkfifo", [fifo]);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(fifo, constants.O_WRONLY);
  const child = spawn(process.execPath, shellCommand(app, SCRIPT, options), {
    stdio: ["ignore", writer, "pipe"],
  });
  closeSync(writer);
  const exit = once(child, "exit");
  await once(child.stderr as Readable, "data");
  return { child, exit, reader };
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  testVm(`${signal} ends the command, and its machine`, async () => {
    const { child, exit, reader } = await stuck(["--timeout", "90"]);
    while (child.signalCode === null && child.exitCode === null) {
      child.kill(signal);
      await Promise.race([exit, sleep(500)]);
    }
    expect(await exit).toEqual([null, signal]);
    closeSync(reader);
    await expect.poll(() => processesWith(app), { timeout: 10_000 }).toEqual([]);
  });
}

testVm("a reader that goes ends it as the app ended", async () => {
  const { exit, reader } = await stuck();
  await sleep(2000);
  closeSync(reader);
  expect(await exit).toEqual([7, null]);
});

testVm(
  "a reader that goes on gets every byte, whatever the app did not hear before its end",
  async () => {
    const script = `trap "" TERM; echo began >&2; head -c ${BYTES} /dev/zero; sleep 3; exit 7`;
    const child = spawn(process.execPath, shellCommand(app, script));
    const closed = once(child, "close");
    await once(child.stderr as Readable, "data");
    child.kill("SIGTERM");
    await sleep(3000);
    let bytes = 0;
    child.stdout.on("data", (part: Buffer) => {
      bytes += part.length;
    });
    expect([await closed, bytes]).toEqual([[7, null], BYTES]);
  },
);
