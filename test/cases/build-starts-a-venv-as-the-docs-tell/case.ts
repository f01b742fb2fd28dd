import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { asUser, root, run } from "../../support/process.ts";
import { forgetFixedPath } from "../../support/start.ts";
import { temporaryDirectory, userDirectory } from "../../support/temporary.ts";

const name = `fuselage-venv-${process.pid}`;
const place = `/run/fuselage/${name}`;

/** The command lines of docs/python.md, with this machine's Python and a name of our own. */
function commands(): string[] {
  const page = readFileSync(path.join(root, "docs/python.md"), "utf8");
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block ?? "");
  return blocks.map((block) =>
    block
      .replaceAll("/run/fuselage/tool", place)
      .replace(/^python3 -m venv/gm, "/usr/bin/python3 -m venv --without-pip")
      .replace(
        /^.*pip install.*$/gm,
        `install -m 755 tool ${place}/bin/tool; cp tool.py ${place}/lib/python3*/site-packages/`,
      )
      .replace(/^\.\/.*$/gm, ""),
  );
}

export default {
  needs: ["root", "userns", "fuse", "systemPython"],
  files: { "tool.py": "import sys\nprint('ran', sys.prefix, sys.argv[1:])\n" },
  prepare(dir) {
    writeFileSync(path.join(dir, "tool"), `#!${place}/bin/python3\nimport tool\n`);
  },
  args: [],
  async run(dir, node, [bundle = ""]) {
    const build = (block: string) =>
      execFileSync("sh", ["-ec", block.replace(/^bundle /gm, `${node} ${bundle} `)], {
        cwd: dir,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
    const outputs = commands().map(build);
    rmSync(place, { recursive: true, force: true });
    return { stdout: outputs.join(""), stderr: "", status: 0, signal: null };
  },
  async check(dir) {
    chmodSync(dir, 0o755);
    for (const file of ["tool.run", "python.run"]) {
      const home = temporaryDirectory();
      const program = path.join(dir, file);
      const asRoot = await run(program, ["x"], { env: { HOME: home } });
      const expected =
        file === "tool.run" ? `ran ${place} ['x']\n` : /^ran \/.*\/static\/.* \['x'\]\n$/;
      const stdout = typeof expected === "string" ? expected : expect.stringMatching(expected);
      expect(asRoot).toMatchObject({ stdout, stderr: "", status: 0 });
      expect(await asUser(program, ["x"], userDirectory())).toMatchObject({ stdout, status: 0 });
    }
    forgetFixedPath(place);
  },
} satisfies Case;
