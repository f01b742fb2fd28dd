/** A FUSE server that cannot say what its starter waits for: the start ends with a failure, and does not hang. */
import path from "node:path";
import { describe, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { gone } from "../support/holders.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, start, ways } from "../support/packed.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

/** The answer to INIT, which is the first that is written to the device, and what the starter is told then. */
const faults = [
  ["the answer to INIT", "writev", "EIO", "I/O error"],
  ["its word that it serves", "sendto", "ENOBUFS", "Connection reset by peer"],
] as const;

/** A program that a user traces has no rights of its own, so there is no fusermount3; the server is the same. */
const served = ways.filter(({ strategy }) => strategy === "fuse");

describe.each(served)("$title", (way) => {
  const check = skipUnless("strace", ...way.needs);

  for (const [what, call, error, words] of faults)
    check(`${what} cannot be written: the start fails`, async () => {
      const home = way.root ? temporaryDirectory() : userDirectory();
      const file = await pack({ run: runArguments });
      const inject = ["-e", `trace=${call}`, "-e", `inject=${call}:error=${error}:when=1`];
      // A user's strace is not told which file the server writes to, and then takes the starter's words too.
      const isNamed = call === "writev" && way.root;
      const only = isNamed ? ["-P", "/dev/fuse"] : [];
      const trace = ["-f", "-qq", "-o", path.join(home, "trace"), ...only, ...inject];
      const outcome = await start(way, "strace", [...trace, file, "true"], home, {
        env: { FUSELAGE_LINGER: "0" },
      });
      const isTold = call !== "writev" || isNamed;
      if (isTold) expect(outcome.stderr).toContain(`FUSE server did not start: ${words}`);
      expect(outcome.status).toBe(125);
      await gone(file);
    });
});
