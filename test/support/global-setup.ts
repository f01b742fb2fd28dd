/** Before all tests, also when vitest is called by itself: generated sources are current. */
import { execFileSync } from "node:child_process";
import { root } from "./process.ts";

export default function setup(): void {
  execFileSync(process.execPath, ["scripts/generate.mjs"], { cwd: root, stdio: "inherit" });
}
