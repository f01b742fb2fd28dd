/** Folders for tests, removed when the test file has ended. */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";
import { removeTemporary } from "../../builder/host/temporary.ts";
import { isRoot, ordinaryUser } from "./process.ts";

const made: string[] = [];

/** A start on the host ends a moment after its app. */
const PATIENCE_MS = 5000;

/** Where something is mounted below a folder, in the order in which it was. */
function mountsBelow(dir: string): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "latin1").split("\n");
  return lines
    .map((line) => line.split(" ")[4] ?? "")
    .map((place) =>
      place.replace(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(parseInt(code, 8))),
    )
    .filter((place) => place.startsWith(`${dir}/`));
}

/** What a test that failed has left mounted for the whole machine: nothing of it is to be met by another one. */
function unmountBelow(dir: string): void {
  for (const place of mountsBelow(dir).reverse()) {
    const named = Buffer.from(place, "latin1").toString();
    const [command, ...args] = isRoot ? ["umount", "-l"] : ["fusermount3", "-uz"];
    const { status, stderr } = spawnSync(`${command}`, [...args, named], { encoding: "utf8" });
    if (status !== 0) console.error(`${named} stays mounted: ${stderr}`);
  }
}

afterAll(async () => {
  for (const dir of made.splice(0)) {
    const isMounted = () => mountsBelow(dir).length > 0;
    for (let waited = 0; isMounted() && waited < PATIENCE_MS; waited += 10) await sleep(10);
    unmountBelow(dir);
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
