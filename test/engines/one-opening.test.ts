/** What an engine is told of a bundle is of one file, whatever has its name a moment later. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { build } from "../../builder/api/build.ts";
import { smallApp, writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { bundleCommand, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Times that a command opens the bundle. */
async function openings(args: readonly string[]): Promise<number> {
  const cwd = temporaryDirectory();
  writeFiles(cwd, smallApp);
  const output = path.join(cwd, "the-bundle.run");
  await build({ input: path.join(cwd, "app"), output });
  const trace = ["-f", "-qq", "-e", "trace=openat", "-o", "trace"];
  const command = [process.execPath, bundleCommand, ...args];
  await run("strace", [...trace, ...command], { cwd, env: { FUSE_TOKEN: "token" } });
  const lines = readFileSync(path.join(cwd, "trace"), "latin1").split("\n");
  return lines.filter((line) => /the-bundle\.run".*\) = \d+$/.test(line)).length;
}

skipUnless("strace")("digest, size and what it says of itself come of one opening", async () => {
  const units = ["--systemd", "units", "--program", "/opt/app.run"];
  expect(await openings(["export", "the-bundle.run", ...units])).toBe(1);
  const deploy = ["--to", "fuse://localhost:1", "--url", "https://example.org/app.run"];
  expect(await openings(["deploy", "the-bundle.run", ...deploy])).toBe(1);
  expect(await openings(["vm", "run", "the-bundle.run", "--kernel", "missing"])).toBe(1);
});
