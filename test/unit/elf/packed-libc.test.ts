import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readDynamicBytes } from "../../../builder/elf/dynamic.ts";
import { withPrivateVariables } from "../../../builder/elf/packed-libc.ts";
import { makeProgram } from "../../support/dynamic-elf.ts";
import { skipUnless } from "../../support/needs.ts";
import { hostLibrary } from "../../support/packed-libc.ts";

/** Libcs of this machine, and of others that tests have. */
const libcs = {
  "this machine's": ["gcc", () => hostLibrary("libc.so.6")],
  "that of aarch64": ["arm64", () => "/usr/aarch64-linux-gnu/lib/libc.so.6"],
  "that of riscv64": ["riscv64", () => "/usr/riscv64-linux-gnu/lib/libc.so.6"],
} as const;

const refused = (bytes: Buffer) =>
  expect(withPrivateVariables(bytes, "libc.so.6")).rejects.toMatchObject({
    code: "E_LIBC_UNKNOWN",
    path: "libc.so.6",
  });

describe("a libc", () => {
  for (const [title, [need, place]] of Object.entries(libcs)) {
    skipUnless(need)(`gets variables of its own, and nothing of it moves: ${title}`, async () => {
      const before = readFileSync(place());
      const after = await withPrivateVariables(before, "libc.so.6");
      const [old, now] = [
        await readDynamicBytes(before, "before"),
        await readDynamicBytes(after, "after"),
      ];
      const { elf, interpreter, ...rest } = old;
      expect(now).toMatchObject(rest);
      expect(now.interpreter).toBeUndefined();
      expect(now.elf.programs).toHaveLength(elf.programs.length);
      const loads = now.elf.programs.filter(({ type }) => type === 1);
      expect(loads.slice(0, -1)).toEqual(elf.programs.filter(({ type }) => type === 1));
      expect(after.includes("/gconv\0")).toBe(false);
      // Program headers, the first instructions of getenv, and two names.
      const changed = [...before].filter((byte, at) => after[at] !== byte).length;
      expect(changed).toBeLessThan(elf.programs.length * 56 + 9 + 200);
      expect((await withPrivateVariables(after, "libc.so.6")).equals(after)).toBe(true);
    });

    skipUnless(need)(`is refused whole without what it should have: ${title}`, async () => {
      const bytes = readFileSync(place());
      const without = (name: string) => {
        const copy = Buffer.from(bytes);
        for (let at = copy.indexOf(name); at >= 0; at = copy.indexOf(name)) copy.write("x", at + 1);
        return copy;
      };
      for (const name of ["getenv\0", "getauxval\0", "/gconv/gconv-modules.cache\0"]) {
        await refused(without(name));
      }
    });
  }

  skipUnless("gcc")("is no other library", async () => {
    for (const name of ["libm.so.6", "ld-linux-x86-64.so.2"]) {
      await refused(readFileSync(hostLibrary(name)));
    }
  });

  test("is none that names nothing, or is for another machine", async () => {
    await refused(makeProgram());
    await refused(makeProgram({ machine: 22 }));
  });
});
