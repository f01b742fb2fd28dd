/** A user's machine that comes to nothing: what is said, and that nothing stays. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, onTestFinished } from "vitest";
import { missing, skipUnless } from "../support/needs.ts";
import { asUser, ordinaryUser } from "../support/process.ts";
import { userDirectory } from "../support/temporary.ts";
import { busyboxBundle, PATIENCE, processesWith, shellCommand } from "../support/vm.ts";

let app: string;

beforeAll(async () => {
  if (missing("busybox") === undefined) app = await busyboxBundle();
});

const visible = (dir: string) => readdirSync(dir).filter((name) => !name.startsWith("."));

skipUnless(
  "vm",
  "busybox",
  "userns",
)("a full disk for what is temporary", async () => {
  const home = userDirectory();
  const small = 'mount -t tmpfs -o size=64k none "$0" && "$@"; status=$?; ls -A "$0"; exit $status';
  const namespaces = ["--user", "--map-root-user", "--mount", "sh", "-c", small];
  const temporary = userDirectory();
  const { status, stdout, stderr } = await asUser(
    "unshare",
    [...namespaces, temporary, process.execPath, ...shellCommand(app, "echo never")],
    home,
    { env: { TMPDIR: temporary, XDG_RUNTIME_DIR: undefined }, timeout: PATIENCE },
  );
  expect([status === 0, stdout]).toEqual([false, ""]);
  expect(stderr).toMatch(/\[E_OUTPUT_\w+\].*initramfs/);
});

skipUnless("vm", "busybox")("an interrupt before the app runs", async () => {
  const home = userDirectory();
  const copy = path.join(home, `mark-${randomBytes(8).toString("hex")}.run`);
  copyFileSync(app, copy);
  const child = spawn(process.execPath, shellCommand(copy, "echo up; sleep 100"), {
    env: { ...process.env, HOME: home, TMPDIR: home, XDG_RUNTIME_DIR: undefined },
    stdio: ["ignore", "pipe", "ignore"],
    ...ordinaryUser(),
  });
  const ended = once(child, "close");
  const word = path.basename(copy);
  const machines = () => processesWith(word).filter((pid) => pid !== child.pid);
  await expect.poll(() => machines().length, { timeout: PATIENCE }).toBeGreaterThan(0);
  child.kill("SIGINT");
  expect(await ended).toEqual([null, "SIGINT"]);
  await expect.poll(machines).toEqual([]);
  expect(visible(home)).toEqual([word]);
});

skipUnless("vm", "busybox")("a signal before there is a machine ends it at once", async () => {
  const home = userDirectory();
  const [bin, volume] = [path.join(home, "bin"), path.join(home, "volume")];
  for (const folder of [bin, volume]) mkdirSync(folder);
  const mark = `${1000 + (randomBytes(2).readUInt16LE() % 9000)}.25`;
  const asked = path.join(home, "asked");
  // It is asked what it can do, and never says.
  const server = `#!/bin/sh\n: >"${asked}"\nexec sleep ${mark}\n`;
  writeFileSync(path.join(bin, "virtiofsd"), server, { mode: 0o755 });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
    const words = shellCommand(app, "echo never", ["--volume", `${volume}:/v`]);
    const PATH = `${bin}:${process.env["PATH"]}`;
    const child = spawn(process.execPath, words, {
      env: { ...process.env, PATH, HOME: home, TMPDIR: home, XDG_RUNTIME_DIR: undefined },
      stdio: ["ignore", "pipe", "pipe"],
    });
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    const ended = once(child, "close");
    await expect.poll(() => existsSync(asked), { timeout: PATIENCE }).toBe(true);
    child.kill(signal);
    expect(await ended).toEqual([null, signal]);
    expect(said).toBe("");
    await expect.poll(() => processesWith(mark)).toEqual([]);
    rmSync(asked);
  }
  expect(visible(home).sort()).toEqual(["bin", "volume"]);
});
