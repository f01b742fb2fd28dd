/** What a command does not need is not loaded: it would cost each start of it. */
import path from "node:path";
import { expect } from "vitest";
import { skipUnless } from "../../support/needs.ts";
import { root, run } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const loads = async (...args: string[]): Promise<string[]> => {
  const main = path.join(root, "dist/cli/main.js");
  const traced = ["-f", "-qq", "-e", "trace=openat", process.execPath, main, ...args];
  const { stderr } = await run("strace", traced, { cwd: root });
  const found = stderr.matchAll(/node_modules\/((?:@[^/]+\/)?[^/"]+)\//g);
  return [...new Set([...found].map(([, name = ""]) => name))];
};

skipUnless("strace")("what speaks to registries is loaded where there is one", async () => {
  const output = path.join(temporaryDirectory(), "hello.run");
  expect(await loads("--version")).not.toContain("undici");
  expect(await loads("build", "examples/hello", "-o", output)).not.toContain("undici");
  expect(await loads("export", output, "--to", `oci:${output}.oci`)).not.toContain("undici");
  // That it can be seen at all.
  expect(await loads("build", "docker://localhost:1/x", "-o", output)).toContain("undici");
});
