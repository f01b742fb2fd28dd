import { chmodSync } from "node:fs";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { makeElf } from "../../support/elf.ts";
import { bundle, run } from "../../support/process.ts";

const none = (words: string) =>
  `  There are bundles for x86_64, aarch64, and riscv64 alone, none for ${words}`;

/** By the options that name one, in the words of each. */
const asked: [string[], string][] = [
  [["--target", "linux-armv7"], none("32-bit ARM (armv7).\n")],
  [["--target", "linux-arm"], none("32-bit ARM (arm).\n")],
  [["--arch", "armhf"], none("32-bit ARM (armhf).\n")],
  [["--arch", "i386"], none("32-bit x86 (i386).\n")],
  [["--arch", "loong64"], none("LoongArch (loong64).\n")],
];

export default {
  files: {
    "armv7/bin/armv7": makeElf({ machine: 40, bits: 32 }),
    "i686/bin/i686": makeElf({ machine: 3, bits: 32 }),
  },
  prepare(dir) {
    for (const name of ["armv7", "i686"]) chmodSync(`${dir}/${name}/bin/${name}`, 0o755);
  },
  args: ["build", "armv7", "-o", "out", "--arch", "aarch64"],
  async run(cwd, command, args) {
    for (const [option, hint] of asked) {
      const outcome = await bundle(["build", "armv7", "-o", "out", ...option], { cwd });
      expect(outcome).toMatchObject({ status: 2 });
      expect(outcome.stderr).toMatch(/^bundle: \[E_OPTION_VALUE\] /);
      expect(outcome.stderr).toContain(`\n${hint}`);
    }
    const other = await bundle(["build", "i686", "-o", "out", "--arch", "x86_64"], { cwd });
    expect(other.stderr).toContain(`\n${none("32-bit x86 (i686): pack a program for x86_64.\n")}`);
    return run(command, args, { cwd });
  },
  code: "E_ELF_MACHINE",
  stderr:
    /expected aarch64, found armv7l\n {2}There are bundles .*, none for 32-bit ARM \(armv7l\): pack/,
} satisfies Case;
