import type { Case } from "../../support/case.ts";
import { makeElf } from "../../support/elf.ts";

export default {
  files: { program: makeElf() },
  args: ["build", "program", "-o", "out", "--arch", "x86_64", "--lib", "/any/where/libc.so.6"],
  code: "E_LIBRARY_HOST",
  status: 2,
  stderr: /libc\.so\.6 cannot be packed: glibc is one piece with the dynamic linker/,
} satisfies Case;
