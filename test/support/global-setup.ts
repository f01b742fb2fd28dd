/** Before all tests, also when vitest is called by itself: generated sources are current, and what is downloaded is here. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestProject } from "vitest/node";

// Not that of process.ts, which imports what is generated.
const root = path.resolve(import.meta.dirname, "../..");

export default async function setup({ config }: TestProject): Promise<void> {
  execFileSync(process.execPath, ["scripts/generate.mjs"], { cwd: root, stdio: "inherit" });
  await fetchInterpreter(path.join(config.env["XDG_CACHE_HOME"] ?? "", "fuselage-bundle"));
}

/**
 * The Node that apps of tests are packed with. This process has read the authorities of servers when it was started,
 * and those of the tests do not know them (vitest.config.ts).
 */
async function fetchInterpreter(cache: string): Promise<void> {
  const { findInterpreter } = await import("../../builder/app/node/interpreter.ts");
  const { DEFAULT_NODE } = await import("../../builder/app/node/check-interpreter.ts");
  const { targetFor } = await import("../../builder/app/node/target.ts");
  const { hostArchitecture } = await import("../../builder/host/paths.ts");
  const arch = hostArchitecture();
  if (arch === undefined) return;
  const workspace = mkdtempSync(path.join(tmpdir(), "fuselage-test-"));
  const report = (line: string) => console.error(line);
  const target = targetFor(arch, "glibc");
  const wanted = { wanted: DEFAULT_NODE, target, packsLibraries: false, cache, workspace, report };
  // Tests that need it say for themselves that it is not here.
  await findInterpreter(wanted).catch((error: Error) => report(`test: ${error.message}`));
  rmSync(workspace, { recursive: true });
}
