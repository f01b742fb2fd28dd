// The lines of docs/engines.md that write files, as they stand there, by the shell.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { build } from "../../builder/api/build.ts";
import { skipUnless } from "../support/needs.ts";
import { bundleCommand, root, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Of its blocks for the shell; what speaks to a registry, or wants a kernel, is tried elsewhere. */
const documented = [
  ...readFileSync(path.join(root, "docs/engines.md"), "utf8").matchAll(/```sh\n([\s\S]*?)```/g),
]
  .flatMap(([, block = ""]) => block.split("\n"))
  .filter((line) => /^bundle export /.test(line) && !/ --(to|microvm) /.test(line));

/** What each line is said to write, below the folder or the home that it is run in. */
const WRITTEN: Record<string, readonly string[]> = {
  "--systemd": ["units/app.service", "units/app.socket"],
  "--portable": ["app_1.0.raw"],
  "--compose": ["compose.yaml"],
  "--quadlet": [".config/containers/systemd/app.container"],
  "--cloud-init": ["user-data"],
  "--kubernetes": ["app.yaml"],
  "--nomad": ["app.json"],
  "--fuse": ["Fusefile"],
};

skipUnless("gcc")("every line that writes files for an engine does", async () => {
  const dir = temporaryDirectory();
  mkdirSync(path.join(dir, "app"), { recursive: true });
  writeFileSync(path.join(dir, "app.c"), "int main(void) { return 0; }\n");
  execFileSync("gcc", ["-static", "-o", path.join(dir, "app/app"), path.join(dir, "app.c")]);
  await build({ input: path.join(dir, "app"), output: path.join(dir, "app.run") });
  const bundle = `bundle() { "${process.execPath}" "${bundleCommand}" "$@"; }`;
  const seen = new Set<string>();
  for (const line of documented) {
    const option = Object.keys(WRITTEN).find((one) => line.includes(` ${one} `)) ?? "";
    seen.add(option);
    const env = { HOME: dir };
    const { status, stderr } = await run("sh", ["-c", `${bundle}; ${line}`], { cwd: dir, env });
    expect({ line, status, stderr }).toEqual({ line, status: 0, stderr: "" });
    for (const file of WRITTEN[option] ?? ["nothing"]) {
      expect(existsSync(path.join(dir, file)), `${line}: ${file}`).toBe(true);
    }
  }
  expect([...seen].sort()).toEqual(Object.keys(WRITTEN).sort());
});
