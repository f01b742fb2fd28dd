// Writes many trees that look random, and compares what the kernel, unsquashfs, squashfuse and our own
// readers show of them (test/interop/trees.test.ts), on all processors. As root.
//
//   npm run property [-- [--trees COUNT] [--first NUMBER]]
//
// COUNT is 20,000 by default. A tree is made by its number alone: a failure names it. FUSELAGE_UNSQUASHFS
// names an unsquashfs that is asked too, beside the system's.

import { spawn } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { setup } from "./setup.mjs";

const root = path.resolve(import.meta.dirname, "..");
/** Trees of one process, of which one tries them on each processor. */
const SHARE = 500;

const usage = "property: usage: npm run property [-- [--trees COUNT] [--first NUMBER]]";

/** @returns {[count: number, first: number]} */
function wanted() {
  const options = /** @type {const} */ ({
    trees: { type: "string", default: "20000" },
    first: { type: "string", default: "0" },
  });
  try {
    const { trees, first } = parseArgs({ options }).values;
    if (/^[1-9]\d{0,8}$/.test(trees) && /^\d{1,9}$/.test(first))
      return [Number(trees), Number(first)];
  } catch {
    // The same words for what is no option.
  }
  console.error(usage);
  process.exit(2);
}

const [count, first] = wanted();

/** @param {number} from @param {number} many @returns {Promise<string>} what a failed run printed, or "" */
function tryTrees(from, many) {
  return new Promise((resolve, reject) => {
    const vitest = path.join(root, "node_modules/vitest/vitest.mjs");
    const child = spawn(process.execPath, [vitest, "run", "test/interop/trees.test.ts"], {
      cwd: root,
      env: {
        ...process.env,
        CI: "true",
        FUSELAGE_TREES: `${many}`,
        FUSELAGE_FIRST_TREE: `${from}`,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
        output += text;
      });
    }
    child.on("error", reject);
    child.on("close", (status) => resolve(status === 0 ? "" : output));
  });
}

await setup({ test: true });
let next = first;
let done = 0;
let failed = false;
async function work() {
  while (next < first + count) {
    const from = next;
    const many = Math.min(SHARE, first + count - from);
    next += many;
    const output = await tryTrees(from, many);
    done += many;
    failed ||= output !== "";
    if (output !== "") console.log(output);
    console.log(
      `property: trees ${from} to ${from + many - 1}: ${output === "" ? "the same" : "DIFFERENT"} (${done}/${count})`,
    );
  }
}
await Promise.all(Array.from({ length: os.availableParallelism() }, work));
process.exitCode = failed ? 1 : 0;
