import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Case } from "../../support/case.ts";

export default {
  needs: ["gcc"],
  prepare(cwd) {
    const gcc = (...args: string[]) => execFileSync("gcc", args, { cwd });
    writeFileSync(path.join(cwd, "main.c"), "int f(void); int main(void) { return f(); }\n");
    writeFileSync(path.join(cwd, "f.c"), "int g(void); int f(void) { return g(); }\n");
    writeFileSync(path.join(cwd, "g.c"), "int g(void) { return 0; }\n");
    gcc("-shared", "-fPIC", "-Wl,-soname,libdeep.so.7", "-o", "libdeep.so.7", "g.c");
    gcc("-shared", "-fPIC", "-Wl,-soname,libf.so", "-o", "libf.so", "f.c", "./libdeep.so.7");
    const rpath = "-Wl,-rpath,$ORIGIN,-rpath-link,.";
    gcc("main.c", "./libf.so", rpath, "-o", "program");
    rmSync(path.join(cwd, "libdeep.so.7"));
  },
  args: ["build", "program", "-o", "out", "--with-libs"],
  code: "E_LIBRARY_MISSING",
  stderr: /libdeep\.so\.7: .*for \/\S+\/libf\.so in .*\/lib.*\n {2}Install it/,
} satisfies Case;
