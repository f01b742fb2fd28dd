/** The C code with ASan and UBSan, built when it is stale. */
import path from "node:path";
import { root, run } from "./process.ts";

const dir = path.join(root, "build/runtime/sanitize");

/** @returns paths of the runtime and of the reader's fuzz target */
export async function buildSanitized(): Promise<{ runtime: string; fuzzReader: string }> {
  const script = path.join(root, "scripts/build/runtime.mjs");
  const { status, stderr } = await run(process.execPath, [script, "--sanitize"], {
    timeout: 600_000,
  });
  if (status !== 0) throw new Error(stderr);
  return { runtime: path.join(dir, "fuselage"), fuzzReader: path.join(dir, "fuzz-reader") };
}
