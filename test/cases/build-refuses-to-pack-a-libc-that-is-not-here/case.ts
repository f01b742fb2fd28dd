import type { Case } from "../../support/case.ts";
import { makeProgram } from "../../support/dynamic-elf.ts";

export default {
  files: {
    prog: makeProgram({ interpreter: "/lib/ld-linux-riscv64-lp64d.so.1", machine: 243 }),
    "root/etc/empty": "",
  },
  args: [
    ...["build", "prog", "-o", "out", "--arch", "riscv64"],
    ...["--libc", "pack", "--sysroot", "root"],
  ],
  code: "E_LIBC_MISSING",
  stderr:
    /root: there is no glibc for riscv64 to pack: expected \/lib\/ld-linux-riscv64-lp64d\.so\.1, or/,
} satisfies Case;
