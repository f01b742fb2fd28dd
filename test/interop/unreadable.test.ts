/** Inputs that can be opened and not read, and those that are not there, are told by their names. */
import { spawnSync } from "node:child_process";
import { openSync } from "node:fs";
import { expect, test } from "vitest";
import { bundle, bundleCommand } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** A regular file whose first page is no memory: to read it fails with EIO, as on a disk that is broken. */
const BROKEN = "/proc/self/mem";

test.each([
  ["build", BROKEN, "-o", "out"],
  ["build", `tar:${BROKEN}`, "-o", "out"],
  ["build", `oci-archive:${BROKEN}`, "-o", "out"],
  ["build", `docker-archive:${BROKEN}`, "-o", "out"],
  ["build", "--from-dump", BROKEN, "--entry", "a", "-o", "out"],
  ["pack", BROKEN, "-o", "out.sfs"],
  ["pack", "--from-dump", BROKEN, "-o", "out.sfs"],
  ["inspect", BROKEN],
  ["dump", BROKEN],
  ["extract", BROKEN, "-d", "out"],
  ["check", BROKEN],
])("a broken disk: %s %s", async (...args) => {
  const { status, stderr } = await bundle(args, { cwd: temporaryDirectory() });
  expect(stderr).toContain(`[E_FILE_UNREADABLE] ${BROKEN}: cannot be read: input/output error`);
  expect(status).toBe(1);
});

test.each([
  ["build", "-", "-o", "out"],
  ["build", "-", "--kind", "plain", "-o", "out"],
  ["build", "--from-dump", "-", "--name", "app", "--entry", "a", "-o", "out"],
  ["pack", "-", "-o", "out.sfs"],
])("a broken disk as standard input: %s %s %s", (...args) => {
  const cwd = temporaryDirectory();
  const stdio = [openSync(BROKEN, "r"), "pipe", "pipe"] as const;
  const outcome = spawnSync(process.execPath, [bundleCommand, ...args], { cwd, stdio: [...stdio] });
  expect(`${outcome.stderr}`).toContain(
    "[E_FILE_UNREADABLE] standard input: cannot be read: input/output error",
  );
  expect(outcome.status).toBe(1);
});

test.each([
  ["export", "none.run", "--portable", "out.raw"],
  ["export", "none.run", "--runtime-bundle", "out"],
  ["export", "none.run", "--systemd", "out"],
  ["export", "none.run", "--nomad", "out"],
  ["export", "none.run", "--microvm", "out"],
  ["vm", "run", "none.run"],
  ["service", "install", "none.run"],
])("what is not there: %s %s %s", async (...args) => {
  const { status, stderr } = await bundle(args, { cwd: temporaryDirectory() });
  expect(stderr).toContain("[E_INPUT_MISSING] none.run: does not exist");
  expect(status).toBe(1);
});
