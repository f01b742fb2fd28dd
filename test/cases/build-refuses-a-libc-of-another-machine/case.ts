import type { Case } from "../../support/case.ts";
import { makeProgram } from "../../support/dynamic-elf.ts";
import { fakeGlibc } from "../../support/fake-libc.ts";

const other = Object.entries(fakeGlibc(undefined, { machine: 183 }));

export default {
  files: {
    prog: makeProgram({ needed: ["libc.so.6"] }),
    ...Object.fromEntries(other.map(([name, file]) => [`root/${name}`, file])),
  },
  args: [
    ...["build", "prog", "-o", "out", "--arch", "x86_64"],
    ...["--libc", "pack", "--sysroot", "root"],
  ],
  code: "E_LIBC_MACHINE",
  stderr:
    /libc\.so\.6: this libc is for another machine than the bundle: expected x86_64, found aarch64/,
} satisfies Case;
