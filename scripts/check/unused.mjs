// Files, exports and dependencies that nobody uses: knip, by knip.jsonc.

import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";

const root = path.resolve(import.meta.dirname, "../..");
const knip = path.join(root, "node_modules/.bin/knip");

/** Everything as it is, and what is published without the tests that import it. */
const runs = [[], ["--production"]];

/** @returns {Promise<string[]>} */
export async function unusedProblems() {
  const found = await Promise.all(
    runs.map(async (more) => {
      const args = ["--no-progress", "--reporter", "compact", ...more];
      try {
        await promisify(execFile)(knip, args, { cwd: root });
        return [];
      } catch (error) {
        const { stdout, message } = /** @type {Error & {stdout?: string}} */ (error);
        return [`knip ${args.join(" ")}\n${stdout || message}`.trimEnd()];
      }
    }),
  );
  return found.flat();
}
