/** A glibc made byte by byte, with as much of one as a build looks at. It does not run. */
import type { Files } from "./case.ts";
import { makeDynamicElf } from "./dynamic-elf.ts";

const LOADER = "ld-linux-x86-64.so.2";

/**
 * Its files, below the root of a system.
 *
 * @param defined versions of its symbols, in their order
 */
export function fakeGlibc(
  defined: readonly string[] = ["GLIBC_2.2.5", "GLIBC_2.31", "GLIBC_2.34"],
  { folder = "usr/lib/x86_64-linux-gnu", machine = 62 } = {},
): Files {
  const banner = "GNU C Library (Test GLIBC 2.34-1) stable release version 2.34.\0";
  const part = (name: string, needed: string[] = []) =>
    makeDynamicElf({ soname: name, needed, machine, defined: [...defined, "GLIBC_PRIVATE"] });
  const libc = makeDynamicElf({
    machine,
    soname: "libc.so.6",
    needed: [LOADER],
    defined: [...defined, "GLIBC_PRIVATE"],
    constants: banner,
  });
  return {
    [`${folder}/libc.so.6`]: libc,
    [`${folder}/${LOADER}`]: part(LOADER),
    [`${folder}/libm.so.6`]: part("libm.so.6", ["libc.so.6"]),
    [`${folder}/libmvec.so.1`]: part("libmvec.so.1", ["libm.so.6"]),
    [`lib64/${LOADER}`]: { link: `/${folder}/${LOADER}` },
  };
}
