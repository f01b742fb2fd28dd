/** `bundle vm run` whose app has ended, and whose output is on its way to a reader that waits. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect } from "vitest";
import { missing, skipUnless } from "../support/needs.ts";
import { root, signalListed } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { busyboxBundle, PATIENCE, processesWith, shellCommand } from "../support/vm.ts";

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
    const { child, exit, reader } = await stuck(["--timeout", "240"]);
    while (child.signalCode === null && child.exitCode === null) {
      child.kill(signal);
      await Promise.race([exit, sleep(500)]);
    }
    expect(await exit).toEqual([null, signal]);
    closeSync(reader);
    await expect.poll(() => processesWith(app)).toEqual([]);
  });
}

testVm("a reader that goes ends it as the app ended", async () => {
  const { exit, reader } = await stuck();
  await sleep(2000); // In which the app ends, as a rule; if it does not, the reader goes before it does.
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
    await sleep(3000); // The same.
    let bytes = 0;
    child.stdout.on("data", (part: Buffer) => {
      bytes += part.length;
    });
    expect([await closed, bytes]).toEqual([[7, null], BYTES]);
  },
);

skipUnless(
  "vm",
  "busybox",
  "python3",
  "virtiofsd",
  "root",
)("Ctrl-C in a terminal, while the host does not take what was written to a volume", async () => {
  const volume = temporaryDirectory();
  const [written, stopped] = [path.join(volume, "written"), path.join(volume, "stopped")];
  const script = "echo x >/v/file; echo ready; read x; exit 7";
  const words = shellCommand(app, script, ["--volume", `${volume}:/v`]);
  const python = [path.join(root, "test/support/terminal-session.py"), process.execPath];
  const session = spawn("python3", [...python, ...words]);
  let text = "";
  session.stdout.on("data", (part: Buffer) => {
    text += part;
  });
  const closed = once(session, "close");
  session.stdin.write("wait ready\n");
  session.stdin.write(`run touch ${written}; until test -e ${stopped}; do sleep 0.1; done\n`);
  await expect.poll(() => existsSync(written), { timeout: PATIENCE }).toBe(true);
  const servers = processesWith(volume).filter((pid) =>
    readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("virtiofsd"),
  );
  for (const pid of servers) process.kill(pid, "SIGSTOP");
  writeFileSync(stopped, "");
  // Once gives it up to the machine, twice ends the machine.
  session.stdin.end("type \\r\nwait has not yet taken\ntype \\x03\ntype \\x03\n");
  await closed;
  // What stands still ends by this alone.
  for (const pid of servers) signalListed(pid, "SIGKILL");
  expect([servers.length > 0, text.trimEnd().split("\n").slice(-2)]).toEqual([
    true,
    ["signal 2", "same"],
  ]);
});
