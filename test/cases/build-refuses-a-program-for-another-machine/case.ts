import type { Case } from "../../support/case.ts";
import { makeElf } from "../../support/elf.ts";

export default {
  files: { program: makeElf({ machine: 183 }) },
  args: ["build", "program", "-o", "out", "--arch", "x86_64"],
  code: "E_ELF_MACHINE",
  stderr: /program: .*expected x86_64, found aarch64\n {2}Build with --arch aarch64/,
} satisfies Case;
