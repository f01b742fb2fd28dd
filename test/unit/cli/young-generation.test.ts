import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { bundleCommand, run } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

/** Bytes of the young generation after half a million objects that stay, at the end of a command. */
async function youngGeneration(args: readonly string[]): Promise<number> {
  const hook = path.join(temporaryDirectory(), "hook.cjs");
  writeFileSync(
    hook,
    `process.on("exit", () => {
      const kept = Array.from({ length: 500_000 }, (_, i) => ({ i }));
      const spaces = require("v8").getHeapSpaceStatistics();
      const { space_size } = spaces.find(({ space_name }) => space_name === "new_space");
      console.error("young " + (kept.length > 0 && space_size));
    });`,
  );
  const { stderr } = await run(process.execPath, ["-r", hook, bundleCommand, ...args]);
  return Number(/young (\d+)/.exec(`${stderr}`)?.[1]);
}

test("the young generation of a build stays as small as it is at the start", async () => {
  const input = temporaryDirectory();
  writeFileSync(path.join(input, "file"), "contents");
  const output = path.join(temporaryDirectory(), "out.sfs");
  const grown = await youngGeneration(["version"]);
  const kept = await youngGeneration(["pack", input, "-o", output]);
  expect(grown).toBeGreaterThan(8 << 20);
  expect(kept).toBeLessThan(grown / 4);
});
