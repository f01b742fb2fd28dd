/** The one rule for whether a file is still what it was: runtime/cache/file_state.h. */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { expect } from "vitest";
import { printed } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { root, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

skipUnless("gcc")("changes show, and only where it is said that they would", async () => {
  const dir = temporaryDirectory();
  const program = path.join(dir, "file-state");
  const sources = ["test/c/file_state.c", "runtime/cache/file_state.c"].map((name) =>
    path.join(root, name),
  );
  const flags = ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];
  execFileSync("cc", [...flags, `-I${path.join(root, "runtime")}`, ...sources, "-o", program]);
  expect(printed(await run(program, [path.join(dir, "file")]))).toBe("");
});
