/** A few seconds of each libFuzzer target; `npm run fuzz -- TARGET` goes on for as long as it is told. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { missing, skipUnless } from "../support/needs.ts";
import { root, run } from "../support/process.ts";

const script = path.join(root, "scripts/fuzz.mjs");
const check = skipUnless("libfuzzer", "mksquashfs");

/** Whatever is a target: input.c is what they share. */
const targets = readdirSync(path.join(root, "test/fuzz/targets"))
  .filter((name) => name.endsWith(".c") && name !== "input.c")
  .map((name) => path.parse(name).name);

const fuzz = (target: string, runs: number, timeout: number) =>
  run(process.execPath, [script, target, "--runs", `${runs}`, "--seed", "1"], { timeout });

// The first run compiles the runtime for all of them.
beforeAll(async () => {
  if (missing("libfuzzer") === undefined) await fuzz(targets[0] ?? "", 1, 800_000);
}, 900_000);

for (const target of targets) {
  check(`${target}: nothing is found from the seeds on`, async () => {
    const { status, stdout, stderr } = await fuzz(target, 20_000, 280_000);
    expect({ status, output: stdout + stderr }).toEqual({
      status: 0,
      output: expect.stringMatching(/^Done [1-9]\d* runs/m),
    });
  });
}

test("a target that is not there is refused with those that are", async () => {
  const { status, stderr } = await run(process.execPath, [script, "nothing"]);
  expect(status).toBe(2);
  for (const target of ["reader", ...targets]) expect(stderr).toContain(target);
});
