import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { writeFiles } from "../../../support/case.ts";

const main = `
#include <stdio.h>
int one(void);
int two(void);
int main(void) { printf("%d\\n", one() + two()); return 0; }
`;

/**
 * A library without a name of its own is needed by the path it was linked by, here one from the folder
 * of the sources and one from the root, with versions of symbols.
 */
export default {
  needs: ["gcc"],
  make(dir) {
    writeFiles(dir, {
      "main.c": main,
      "one.c": "int one(void) { return 1; }\n",
      "two.c": "int two(void) { return 2; }\n",
      "two.map": "TWO_1 { global: two; local: *; };\n",
    });
    mkdirSync(path.join(dir, "out/deep"), { recursive: true });
    const gcc = (...args: string[]) => execFileSync("gcc", args, { cwd: dir });
    gcc("-shared", "-fPIC", "-o", "out/deep/libone.so", "one.c");
    gcc("-shared", "-fPIC", "-Wl,--version-script=two.map", "-o", "out/deep/libtwo.so", "two.c");
    gcc("main.c", "out/deep/libone.so", `${dir}/out/deep/libtwo.so`, "-o", "adder");
    return ["adder", "--with-libs"];
  },
  async check({ dir, run }) {
    rmSync(path.join(dir, "out/deep"), { recursive: true, force: true });
    expect(await run()).toMatchObject({ stdout: "3\n", stderr: "", status: 0 });
  },
} satisfies AppCase;
