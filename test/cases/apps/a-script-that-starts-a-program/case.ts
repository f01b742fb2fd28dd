import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { writeFiles } from "../../../support/case.ts";

const apprun = `#!/bin/sh
here=$(dirname "$0")
exec "$here/usr/bin/tool" "$@"
`;

/** An AppDir: its entrypoint is a script, --with-libs is for the programs in it. */
export default {
  needs: ["gcc"],
  make(dir) {
    writeFiles(dir, {
      "tool.c": "int code(void); int main(int argc, char **argv) { return code() + argc; }\n",
      "code.c": "int code(void) { return 40; }\n",
      "Tool.AppDir/AppRun": apprun,
      "config.json": '{ "input": "Tool.AppDir", "name": "tool", "withLibs": true }',
    });
    mkdirSync(path.join(dir, "Tool.AppDir/usr/bin"), { recursive: true });
    const gcc = (...args: string[]) => execFileSync("gcc", args, { cwd: dir });
    gcc("-shared", "-fPIC", "-Wl,-soname,libcode.so", "-o", "libcode.so", "code.c");
    const rpath = `-Wl,-rpath,${dir}`;
    gcc("tool.c", "./libcode.so", rpath, "-o", "Tool.AppDir/usr/bin/tool");
    execFileSync("chmod", ["a-w", "Tool.AppDir/usr/bin/tool"], { cwd: dir });
    return ["--config", "config.json"];
  },
  says: /^kind: plain \(the folder as it is\)$/m,
  async check({ run }) {
    expect((await run(["x"])).status).toBe(42);
  },
} satisfies AppCase;
