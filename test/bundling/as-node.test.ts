/** Apps that a bundler could change: what they print as one file is what Node makes of the files. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { writeFiles } from "../support/case.ts";
import { bundle, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { apps, typed } from "./apps.ts";

/** Builds the app for the Node that runs the tests, and runs the result. */
async function bundled(app: string, mode: string) {
  const output = `${app}.${mode}`;
  const args = ["build", app, "-o", output, "--node", "none", `--bundle=${mode}`];
  const built = await bundle(args);
  expect(built).toMatchObject({ status: 0 });
  const ran = await run(output, [], { env: { FUSELAGE_LINGER: "0" } });
  return { said: built.stderr + built.stdout, ran };
}

function write(files: Parameters<typeof writeFiles>[1]): string {
  const app = path.join(temporaryDirectory(), "app");
  mkdirSync(app);
  writeFiles(app, files);
  return app;
}

describe("strict", () => {
  test.each(Object.entries(apps))("%s", async (_, { files, how }) => {
    const app = write(files);
    const expected = await run(process.execPath, [app]);
    const { said, ran } = await bundled(app, "strict");
    expect({ ...ran, stderr: "" }).toEqual({ ...expected, stderr: "" });
    expect(said).toMatch(how === "bundled" ? / bundled, run by/ : / as it is \(.*\), run by/);
  });

  test.each(Object.entries(typed))("TypeScript: %s", async (_, { files, prints }) => {
    const { ran } = await bundled(write(files), "strict");
    expect(ran).toMatchObject({ stdout: prints, stderr: "", status: 0 });
  });
});
