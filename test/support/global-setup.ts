/** Before all tests, also when vitest is called by itself: generated sources are current. */
import { execFileSync } from "node:child_process";
import path from "node:path";

// Not that of process.ts, which imports what is generated.
const root = path.resolve(import.meta.dirname, "../..");

export default function setup(): void {
  execFileSync(process.execPath, ["scripts/generate.mjs"], { cwd: root, stdio: "inherit" });
}
