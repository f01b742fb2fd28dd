/** Starts a bundle as everyone who may start it. */
import { rmdirSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { errnoCode } from "../../builder/errors.ts";
import { asUser, type Outcome, ordinaryUser, run } from "./process.ts";
import { userDirectory } from "./temporary.ts";

/**
 * Starts a file `times` times as the tests' own user and as often as an ordinary one, each with a
 * home of its own.
 *
 * @returns what each start printed; every one must have succeeded
 */
export async function startAsEveryone(file: string, times: number): Promise<string[]> {
  const home = userDirectory();
  const outcomes: Outcome[] = [];
  for (let i = 0; i < times; i++) {
    outcomes.push(await run(file, [], { env: { HOME: home } }));
  }
  const userHome = userDirectory();
  for (let i = 0; i < times; i++) outcomes.push(await asUser(file, [], userHome));
  for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 0, stderr: "" });
  return outcomes.map(({ stdout }) => stdout);
}

/** Below which a start has its directories: root's place, a user's, or what FUSELAGE_HOME says. */
export function startsOf(
  way: { root: boolean; setuid?: boolean; strategy?: string },
  forced?: string,
): string {
  if (way.root || way.setuid) return "/run/fuselage-starts";
  // A bundle's mount on the host is where no start of the runner covers it.
  const mounts = way.strategy === "fusermount";
  if (forced !== undefined) return `${forced}/${mounts ? "mounts" : "procdirs"}`;
  return `/tmp/.fuselage-${ordinaryUser().uid}${mounts ? "-mounts" : ""}`;
}

/** The environment of starts that have all of theirs in `home`, away from those of other tests. */
export const aloneIn = (home: string) => ({
  HOME: home,
  FUSELAGE_HOME: path.join(home, ".fuselage"),
});

/** Removes what root leaves of a fixed path on the host: an empty folder. */
export function forgetFixedPath(place: string): void {
  try {
    rmdirSync(place);
  } catch (error) {
    if (errnoCode(error) !== "ENOENT") throw error;
  }
}
