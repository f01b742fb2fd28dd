/** The runtime's own printf, against the libc's. */
import path from "node:path";
import { expect } from "vitest";
import { skipUnless } from "../support/needs.ts";
import { root, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

skipUnless("gcc")("printf prints what the libc's does", async () => {
  const program = path.join(temporaryDirectory(), "print");
  const flags = ["-std=gnu17", "-g", "-fsanitize=address,undefined", "-fno-builtin"];
  const sources = [`-I${path.join(root, "runtime")}`, path.join(root, "test/c/print.c")];
  expect(await run("gcc", [...flags, ...sources, "-o", program])).toMatchObject({ status: 0 });
  expect(await run(program, [])).toEqual({ status: 0, signal: null, stdout: "", stderr: "" });
});
