import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { writeFiles } from "../../../support/case.ts";

/** As /usr/bin has them: $ORIGIN in its search path is the folder that the link leads to. */
export default {
  needs: ["gcc"],
  make(dir) {
    writeFiles(dir, {
      "main.c": "int code(void); int main(void) { return code(); }\n",
      "code.c": "int code(void) { return 43; }\n",
    });
    mkdirSync(path.join(dir, "product/bin"), { recursive: true });
    mkdirSync(path.join(dir, "product/lib"));
    const gcc = (...args: string[]) => execFileSync("gcc", args, { cwd: dir });
    gcc("-shared", "-fPIC", "-Wl,-soname,libcode.so", "-o", "product/lib/libcode.so", "code.c");
    const rpath = "-Wl,-rpath,$ORIGIN/../${LIB}:$ORIGIN/../lib";
    gcc("main.c", "product/lib/libcode.so", rpath, "-o", "product/bin/main-1.0");
    symlinkSync("product/bin/main-1.0", path.join(dir, "main"));
    return ["main", "--with-libs"];
  },
  async check({ run }) {
    expect((await run()).status).toBe(43);
  },
} satisfies AppCase;
