import { execFileSync } from "node:child_process";
import { open, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { readDynamic } from "../../../builder/elf/dynamic.ts";
import { makeElf } from "../../support/elf.ts";
import { skipUnless } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function read(file: string) {
  const handle = await open(file);
  try {
    return await readDynamic(handle, file);
  } finally {
    await handle.close();
  }
}

/** Values of a tag as readelf prints them. */
function readelf(file: string, tag: string): string[] {
  const text = execFileSync("readelf", ["-dW", file], { encoding: "utf8" });
  return [...text.matchAll(new RegExp(`\\(${tag}\\).*\\[(.*)\\]`, "g"))].map(
    ([, name]) => name ?? "",
  );
}

describe("the dynamic section", () => {
  skipUnless("gcc")(
    "of a program is as readelf shows it, with and without section headers",
    async () => {
      const dir = temporaryDirectory();
      const file = path.join(dir, "program");
      await writeFile(
        path.join(dir, "main.c"),
        "#include <math.h>\nint main(int c, char **v) { return (int)cos(c); }\n",
      );
      const flags = [
        "-Wl,-rpath,$ORIGIN/../lib:/opt/lib",
        "-Wl,--enable-new-dtags",
        "-fno-builtin",
      ];
      execFileSync("gcc", ["main.c", "-o", file, ...flags, "-lm"], { cwd: dir });
      const facts = await read(file);
      expect(facts.needed).toEqual(readelf(file, "NEEDED"));
      expect(facts.runpath).toEqual(["$ORIGIN/../lib", "/opt/lib"]);
      expect(facts.rpath).toEqual([]);
      expect(facts.interpreter).toMatch(/^\/lib.*\/ld-linux-/);
      const shown = execFileSync("readelf", ["-VW", file], { encoding: "utf8" });
      expect(facts.versions.length).toBeGreaterThan(0);
      for (const { version } of facts.versions) expect(shown).toContain(`Name: ${version}`);
      const stripped = await readFile(file);
      stripped.fill(0, 40, 48); // e_shoff
      stripped.writeUInt16LE(0, 60); // e_shnum
      stripped.writeUInt16LE(0, 62); // e_shstrndx
      await writeFile(file, stripped);
      const { elf: _, ...again } = await read(file);
      expect(facts).toMatchObject(again);
    },
  );

  skipUnless("gcc")("names what others must define, however the linker counts them", async () => {
    const dir = temporaryDirectory();
    const source =
      '#include <stdlib.h>\n#include <stdio.h>\nint own(void) { return puts(getenv("A")); }\n';
    await writeFile(path.join(dir, "main.c"), `${source}int main(void) { return own(); }\n`);
    for (const flags of [
      [],
      ["-rdynamic"],
      ["-Wl,--hash-style=sysv"],
      ["-Wl,--hash-style=gnu", "-rdynamic"],
      ["-Wl,--hash-style=both", "-s"],
      ["-shared", "-fPIC"],
    ]) {
      const file = path.join(dir, `program${flags.join("")}`);
      execFileSync("gcc", ["main.c", "-o", file, ...flags], { cwd: dir });
      const shown = execFileSync("readelf", ["--dyn-syms", "-W", file], { encoding: "utf8" });
      const expected = [...shown.matchAll(/ UND (\w+)/g)].map(([, name]) => name);
      expect(expected).toContain("getenv");
      expect([...(await read(file)).undefinedSymbols].sort()).toEqual(
        [...new Set(expected)].sort(),
      );
    }
  });

  test("is not there in a file without one", async () => {
    const file = path.join(temporaryDirectory(), "static");
    await writeFile(file, makeElf());
    expect(await read(file)).toMatchObject({ needed: [], interpreter: undefined, versions: [] });
  });

  skipUnless("gcc")("damaged anywhere is refused or read, and nothing else", async () => {
    const dir = temporaryDirectory();
    const file = path.join(dir, "program");
    await writeFile(path.join(dir, "main.c"), "int main(void) { return 0; }\n");
    execFileSync("gcc", ["main.c", "-o", file], { cwd: dir });
    const bytes = await readFile(file);
    const { elf } = await read(file);
    const dynamic = elf.programs.find(({ type }) => type === 2) ?? expect.fail();
    const places = [
      ...Array.from({ length: dynamic.fileSize / 8 }, (_, index) => dynamic.offset + index * 8),
      ...Array.from({ length: 12 * 7 }, (_, index) => 64 + index * 8),
    ];
    for (const place of places) {
      for (const value of [0n, 1n, 0xffffn, 0x7fffffffffffffffn, 0xffffffffffffffffn]) {
        const damaged = Buffer.from(bytes);
        damaged.writeBigUInt64LE(value, place);
        await writeFile(file, damaged);
        const outcome = await read(file).then(
          () => "read",
          (error: { code?: string }) => error.code,
        );
        expect(["read", "E_ELF_MALFORMED", "E_ELF_UNSUPPORTED"]).toContain(outcome);
      }
    }
  });
});
