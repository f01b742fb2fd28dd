import { execFileSync } from "node:child_process";
import type { Case } from "../../support/case.ts";

export default {
  needs: ["gcc"],
  files: { "main.c": "int main(void) { return 0; }\n" },
  prepare: (cwd) => void execFileSync("gcc", ["-o", "prog", "main.c"], { cwd }),
  args: ["build", "prog", "-o", "out", "--gconv", "ISO-8859-15", "--gconv", "KLINGON"],
  code: "E_GCONV",
  status: 2,
  stderr: /gconv: no module converts "KLINGON": expected names of its gconv-modules for --gconv/,
} satisfies Case;
