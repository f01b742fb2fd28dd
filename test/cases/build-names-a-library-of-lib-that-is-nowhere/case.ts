import type { Case } from "../../support/case.ts";
import { makeElf } from "../../support/elf.ts";

export default {
  files: { program: makeElf() },
  args: ["build", "program", "-o", "out", "--arch", "x86_64", "--lib", "libnowhere.so.1"],
  code: "E_LIBRARY_MISSING",
  stderr: /libnowhere\.so\.1: .*expected it for --lib in \//,
} satisfies Case;
