import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { writeFiles } from "../../../support/case.ts";

const main = `
#include <stdio.h>
#include <stdlib.h>
int one(void);
int main(int argc, char **argv)
{
	printf("one %d\\n", one());
	fflush(stdout);
	return argc > 1 ? 0 : system("\\"$FUSELAGE_BUNDLE_DIR/bin/helper\\"");
}
`;

const helper = `
#include <stdio.h>
#include <stdlib.h>
int two(void);
int main(void)
{
	printf("two %d\\n", two());
	return getenv("LD_LIBRARY_PATH") ? 1 : 0;
}
`;

/**
 * Two programs of a folder. The library of one is where its search path leads; that of the other is
 * where none leads, behind a link, and needs one of the machine that is built on.
 */
export default {
  needs: ["gcc"],
  make(dir) {
    writeFiles(dir, {
      "main.c": main,
      "helper.c": helper,
      "one.c": "int one(void) { return 1; }\n",
      "two.c": "int three(void); int two(void) { return three() - 1; }\n",
      "three.c": "int three(void) { return 3; }\n",
    });
    for (const folder of ["app/bin", "app/lib", "app/opt/deep", "app/opt/links", "outside"]) {
      mkdirSync(path.join(dir, folder), { recursive: true });
    }
    const gcc = (...args: string[]) => execFileSync("gcc", args, { cwd: dir });
    const library = (file: string, source: string, ...more: string[]) => {
      const soname = /[^/]+\.so\.[0-9]/.exec(file)?.[0];
      gcc("-shared", "-fPIC", `-Wl,-soname,${soname}`, "-o", file, source, ...more);
    };
    library("app/lib/libone.so.1", "one.c");
    library("outside/libthree.so.1", "three.c");
    const outside = `-Wl,-rpath,${dir}/outside`;
    library("app/opt/deep/libtwo.so.1.0", "two.c", "outside/libthree.so.1", outside);
    symlinkSync("../deep/libtwo.so.1.0", path.join(dir, "app/opt/links/libtwo.so.1"));
    gcc("main.c", "app/lib/libone.so.1", "-Wl,-rpath,$ORIGIN/../lib", "-o", "app/bin/main");
    const link = `-Wl,-rpath-link,${dir}/outside`;
    gcc("helper.c", "app/opt/deep/libtwo.so.1.0", link, "-o", "app/bin/helper");
    return ["app", "--entry", "bin/main", "--with-libs"];
  },
  says: /^kind: elf \(bin\/main is a compiled program\)$/m,
  async check({ run }) {
    expect(await run()).toMatchObject({ stdout: "one 1\ntwo 2\n", stderr: "", status: 0 });
  },
} satisfies AppCase;
