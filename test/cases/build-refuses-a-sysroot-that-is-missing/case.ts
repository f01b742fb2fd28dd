import type { Case } from "../../support/case.ts";
import { makeElf } from "../../support/elf.ts";

export default {
  files: { program: makeElf() },
  args: ["build", "program", "-o", "out", "--arch", "x86_64", "--sysroot", "gone"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: /--sysroot .*expected a folder that exists, found "gone"/,
} satisfies Case;
