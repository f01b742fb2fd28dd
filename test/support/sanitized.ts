/** C programs for tests, built when they are stale. */
import path from "node:path";
import { root, run } from "./process.ts";

const dir = path.join(root, "build/runtime");

async function build(programs: string): Promise<void> {
  const script = path.join(root, "scripts/build/test-programs.mjs");
  const { status, stderr } = await run(process.execPath, [script, programs], { timeout: 600_000 });
  if (status !== 0) throw new Error(stderr);
}

/**
 * With ASan and UBSan. @returns paths of the runtime, of the reader's fuzz target, of the program
 * that makes requests to the FUSE server, of the one that takes memory from the reader, of the one that
 * calls single functions, and of one that uses the library for mounts
 */
export async function buildSanitized(): Promise<{
  runtime: string;
  fuzzReader: string;
  requests: string;
  units: string;
  outOfMemory: string;
  mountLibrary: string;
}> {
  await build("sanitize");
  const sanitized = path.join(dir, "sanitize");
  return {
    runtime: path.join(sanitized, "fuselage"),
    fuzzReader: path.join(sanitized, "fuzz-reader"),
    requests: path.join(sanitized, "fuse-requests"),
    units: path.join(sanitized, "units"),
    outOfMemory: path.join(sanitized, "out-of-memory"),
    mountLibrary: path.join(sanitized, "mount-library"),
  };
}

/** With ThreadSanitizer. @returns programs that drive the reader's shared cache and extraction */
export async function buildThreads(): Promise<{ cache: string; extract: string }> {
  await build("threads");
  const threads = path.join(dir, "threads");
  return {
    cache: path.join(threads, "block_cache-threads"),
    extract: path.join(threads, "extract-threads"),
  };
}

/** @returns path of the program that tries what the FUSE server's sandbox forbids */
export async function buildSandbox(): Promise<string> {
  await build("sandbox");
  return path.join(dir, "sandbox/sandbox");
}
