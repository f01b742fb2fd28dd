/** A user's machine that comes to nothing: what is said, and that nothing stays. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect } from "vitest";
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
