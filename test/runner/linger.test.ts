/**
 * A mount that is kept belongs to its user alone: what root's rights made is never kept or shared.
 * Two things see to it: such a start does not ask for it, and a holder, which has no effective
 * rights there, could not leave the other mounts (unshare: EPERM) and would end.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { asUser } from "../support/process.ts";
import { asOrdinary, checkOf, imageOf, runnerOf, setuidRoot as way } from "../support/runner.ts";
import { userDirectory } from "../support/temporary.ts";

/** An image that has been as it is for long enough to be shared. */
async function settledImage(): Promise<string> {
  const image = await imageOf();
  await sleep(100);
  return image;
}

/** Processes that were started as `program`. */
function processesOf(program: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return /^\d+$/.test(pid) && line.split("\0")[0] === program;
    } catch {
      return false; // It ended meanwhile.
    }
  });
}

for (const type of ["loop", "fuse"]) {
  checkOf(way)(
    `setuid-root, ${type}: no mount is kept, whatever FUSELAGE_LINGER says`,
    async () => {
      const program = runnerOf(way);
      const home = userDirectory();
      const env = { FUSELAGE_LINGER: "600", FUSELAGE_DEBUG: "1" };
      const args = [`--mount-type=${type}`, "-s", `a:${await settledImage()}`, "id", "-u"];
      for (let i = 0; i < 3; i++) {
        const { stderr, status } = await asUser(program, args, home, { env });
        expect({ status, stderr }).toMatchObject({
          status: 0,
          stderr: expect.stringContaining(`mounted by ${type} in`),
        });
      }
      await expect.poll(() => processesOf(program)).toEqual([]);
      expect(existsSync(path.join(home, ".fuselage/share.lock"))).toBe(false);
    },
  );
}

checkOf(asOrdinary, "fuse")(
  "the same start by a user of his own keeps one, for a second",
  async () => {
    const program = runnerOf(asOrdinary);
    const home = userDirectory();
    const env = { FUSELAGE_LINGER: "1" };
    const args = ["--mount-type=fuse", "-s", `a:${await settledImage()}`, "true"];
    let kept: string[];
    do {
      expect((await asUser(program, args, home, { env })).status).toBe(0);
      kept = processesOf(program);
    } while (kept.length === 0); // It is over, where this process was away for longer.
    await expect.poll(() => processesOf(program)).toEqual([]);
  },
);
