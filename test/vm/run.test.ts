/** `bundle vm run`: what an app in a machine gets, and what comes back of it. */

import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect } from "vitest";
import { missing, skipUnless } from "../support/needs.ts";
import { run, signalListed } from "../support/process.ts";
import {
  busyboxBundle,
  EMULATED,
  PATIENCE,
  processesWith,
  shell,
  shellCommand,
  vm,
} from "../support/vm.ts";

const testVm = skipUnless("vm", "busybox");

let app: string;

beforeAll(async () => {
  if (missing("busybox") === undefined) app = await busyboxBundle();
});

testVm(
  "arguments, variables, the working directory; both outputs apart, byte by byte",
  async () => {
    const script =
      'printf "%s|" "$0" "$1" "$A" "$PWD" "$HOME_OF_CALLER"; printf "\\377\\0err" >&2; exit 42';
    const options = ["--env", "A=a b\nc", "--workdir", "/tmp"];
    const args = ["run", app, ...EMULATED, ...options, "--", "sh", "-c", script, "", "x 'y'"];
    const { status, stdout, stderr } = await vm(args, { env: { HOME_OF_CALLER: "no" } });
    expect({ status, stdout }).toEqual({ status: 42, stdout: "|x 'y'|a b\nc|/tmp||" });
    expect(Buffer.from(stderr)).toEqual(Buffer.from("\ufffd\0err"));
  },
);

testVm("10 MB through standard input and output", async () => {
  const bytes = randomBytes(10_000_000);
  const child = spawn(process.execPath, shellCommand(app, "cat; echo done >&2; exit 3"));
  child.stdin.end(bytes);
  const got: Buffer[] = [];
  const said: Buffer[] = [];
  child.stdout.on("data", (part: Buffer) => got.push(part));
  child.stderr.on("data", (part: Buffer) => said.push(part));
  const [status] = await once(child, "close");
  const digest = (data: Buffer) => createHash("sha256").update(data).digest("hex");
  expect(digest(Buffer.concat(got))).toBe(digest(bytes));
  expect([status, Buffer.concat(said).toString()]).toEqual([3, "done\n"]);
});

testVm("a program that is not there: 127, as a shell says it", async () => {
  const { status, stderr } = await shell(app, "/no/such/program");
  expect({ status, stderr }).toEqual({ status: 127, stderr: expect.stringContaining("not found") });
});

testVm("the kernel's random numbers have a source on the host", async () => {
  const read = "cat /sys/class/misc/hw_random/rng_current; head -c 1000 /dev/hwrng | wc -c";
  const { stdout, stderr } = await shell(app, read);
  expect({ stdout, stderr }).toEqual({ stdout: "virtio_rng.0\n1000\n", stderr: "" });
});

testVm("an app that a signal ends: so ends the command", async () => {
  const [killed, terminated] = await Promise.all([shell(app, "kill -9 $$"), shell(app, "kill $$")]);
  expect([killed.status, killed.signal]).toEqual([null, "SIGKILL"]);
  expect([terminated.status, terminated.signal]).toEqual([null, "SIGTERM"]);
});

testVm("an app that has ended ends its machine, whatever it left behind", async () => {
  const left = [
    // Frozen by version 1 a process does not even die by SIGKILL.
    "mkdir /f; mount -t cgroup -o freezer none /f; mkdir /f/g; sleep 1000 & echo $! >/f/g/cgroup.procs; echo FROZEN >/f/g/freezer.state",
    "mount -t tmpfs none /proc; mkdir /proc/self; mkfifo /proc/self/status",
    "sleep 1000 & kill -STOP $!",
  ];
  for (const script of left) {
    const { status, stdout, stderr } = await shell(app, `{ ${script}; } 2>&1; echo last; exit 7`);
    expect({ status, stdout, stderr }).toEqual({ status: 7, stdout: "last\n", stderr: "" });
  }
});

testVm("a signal to the command is the app's", async () => {
  const script = 'trap "echo asked; exit 7" TERM; echo ready; while :; do sleep 1; done';
  const child = spawn(process.execPath, shellCommand(app, script), {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    if (text === "") child.kill("SIGTERM");
    text += part;
  });
  const [status] = await once(child, "close");
  expect([status, text]).toEqual([7, "ready\nasked\n"]);
});

testVm("a reader that has gone: the app is told, and ends", async () => {
  const child = spawn(process.execPath, shellCommand(app, "yes; echo $? >&2; exit 5"));
  child.stdout.once("data", () => child.stdout.destroy());
  const [status] = await once(child, "exit");
  // `yes` is ended by SIGPIPE, which its shell tells as 128 + 13.
  expect(status).toBe(5);
});

testVm("readers of pipes that are slow get every byte", async () => {
  const flood = "yes 1234567 | head -c 2000000";
  const script = `(${flood})& (${flood} >&2)& wait; exit 3`;
  const words = (more: string) => [
    // Where its input is a socket bash takes itself for one of a remote login, and reads that one's files.
    ...["--norc", "-c", `set -o pipefail; "$0" "$@" ${more}`, process.execPath],
    ...shellCommand(app, script),
  ];
  const [one, two] = await Promise.all([
    run("bash", words("2>&1 | (read -r x; sleep 3; wc -c)"), { timeout: PATIENCE }),
    run("bash", words("2> >(read -r x; sleep 3; wc -c >&2) | (read -r x; sleep 5; wc -c)"), {
      timeout: PATIENCE,
    }),
  ]);
  // What is left of each stream behind a first line.
  expect([one.status, one.stdout.trim()]).toEqual([3, "3999992"]);
  expect([two.status, two.stdout.trim(), two.stderr.trim()]).toEqual([3, "1999992", "1999992"]);
});

testVm("two at once on one file, whose name has a comma and blanks", async () => {
  const odd = path.join(path.dirname(app), "a, b,,c .run");
  copyFileSync(app, odd);
  const both = await Promise.all(["one", "two"].map((word) => shell(odd, `echo ${word}; sleep 1`)));
  expect(both.map(({ stdout }) => stdout)).toEqual(["one\n", "two\n"]);
});

testVm("a killed command leaves no machine", async () => {
  const word = `mark-${randomBytes(8).toString("hex")}`;
  const copy = path.join(path.dirname(app), `${word}.run`);
  copyFileSync(app, copy);
  const child = spawn(process.execPath, shellCommand(copy, "echo up; sleep 1000"));
  await once(child.stdout, "data");
  expect(processesWith(word).length).toBeGreaterThan(1);
  child.kill("SIGKILL");
  await once(child, "exit");
  await expect.poll(() => processesWith(word)).toEqual([]);
});

testVm("a machine that is killed: an error with the console's last words", async () => {
  const word = `mark-${randomBytes(8).toString("hex")}`;
  const copy = path.join(path.dirname(app), `${word}.run`);
  copyFileSync(app, copy);
  const child = spawn(process.execPath, shellCommand(copy, "echo up; sleep 1000"));
  let text = "";
  child.stderr.on("data", (part) => {
    text += part;
  });
  await once(child.stdout, "data");
  const closed = once(child, "close");
  for (const pid of processesWith(word)) if (pid !== child.pid) signalListed(pid, "SIGKILL");
  const [status] = await closed;
  expect([status, text]).toEqual([125, expect.stringContaining("[E_VM_CRASHED]")]);
});
