/** Folders for tests, removed when the test file has ended. */
import { chmodSync, chownSync, mkdtempSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";
import { removeTemporary } from "../../builder/host/temporary.ts";
import { ordinaryUser } from "./process.ts";

const made: string[] = [];

/** A start on the host ends a moment after its app. */
const PATIENCE_MS = 5000;

const isMountedBelow = (dir: string) =>
  readFileSync("/proc/self/mountinfo", "utf8").includes(` ${dir}/`);

afterAll(async () => {
  for (const dir of made.splice(0)) {
    for (let waited = 0; isMountedBelow(dir) && waited < PATIENCE_MS; waited += 10) await sleep(10);
    removeTemporary(dir);
  }
});

/** A new folder that everyone may read (mode 0755), with its real path. */
export function temporaryDirectory(): string {
  const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-test-"));
  chmodSync(dir, 0o755);
  made.push(dir);
  return dir;
}

/** A new folder that belongs to the user of `asUser`. */
export function userDirectory(): string {
  const dir = temporaryDirectory();
  const { uid, gid } = ordinaryUser();
  chownSync(dir, uid, gid);
  return dir;
}
