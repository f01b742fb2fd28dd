import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { readDynamic } from "../../../builder/elf/dynamic.ts";
import { withRunPath } from "../../../builder/elf/run-path.ts";
import { makeProgram } from "../../support/dynamic-elf.ts";
import { makeElf } from "../../support/elf.ts";
import { missing, skipUnless } from "../../support/needs.ts";
import { run } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const main = `
#include <stdio.h>
int answer(void);
static char zeros[3 << 20];
int main(int argc, char **argv)
{
	zeros[argc] = 1;
	printf("%d %d\\n", answer(), zeros[argc] + zeros[argc + 1]);
	return 0;
}
`;

let dir = "";

async function change(from: string, to: string, runPath: string): Promise<void> {
  const handle = await open(from);
  try {
    const facts = await readDynamic(handle, from);
    writeFileSync(to, withRunPath(readFileSync(from), facts, runPath, from), { mode: 0o755 });
  } finally {
    await handle.close();
  }
}

function compiler(...args: string[]) {
  execFileSync("gcc", args, { cwd: dir });
}

beforeAll(() => {
  if (missing("gcc") !== undefined) return;
  dir = temporaryDirectory();
  mkdirSync(path.join(dir, "here"));
  mkdirSync(path.join(dir, "other"));
  writeFileSync(path.join(dir, "main.c"), main);
  for (const [folder, number] of [
    ["here", 42],
    ["other", 13],
  ] as const) {
    writeFileSync(path.join(dir, "lib.c"), `int answer(void) { return ${number}; }\n`);
    compiler(
      "-shared",
      "-fPIC",
      "-Wl,-soname,libanswer.so",
      "-o",
      `${folder}/libanswer.so`,
      "lib.c",
    );
  }
});

describe("a program with another search path", () => {
  const ways = {
    "at any address": [],
    "at a fixed address": ["-no-pie"],
    "that has DT_RUNPATH": ["-Wl,--enable-new-dtags,-rpath,/nowhere/to/be/found"],
    "that has DT_RPATH": ["-Wl,--disable-new-dtags,-rpath,/nowhere"],
    "without a free entry in its dynamic section": ["-Wl,--spare-dynamic-tags=0"],
    "with all relocations done at the start": ["-Wl,-z,relro,-z,now"],
    "with headers and code in one segment": ["-Wl,-z,noseparate-code"],
    "without a build ID": ["-Wl,--build-id=none"],
  };
  for (const [title, flags] of Object.entries(ways)) {
    skipUnless("gcc")(`finds its library: ${title}`, async () => {
      const name = title.replaceAll(" ", "-");
      const [from, to] = [path.join(dir, name), path.join(dir, `${name}.changed`)];
      compiler("main.c", "here/libanswer.so", "-o", name, ...flags);
      expect((await run(from, [])).status).toBe(127);
      await change(from, to, "$ORIGIN/here");
      expect(await run(to, [])).toMatchObject({ stdout: "42 1\n", stderr: "" });
      // The caller's variable does not put another library in its place.
      const env = { LD_LIBRARY_PATH: path.join(dir, "other") };
      expect(await run(to, [], { env })).toMatchObject({ stdout: "42 1\n" });
      const shown = execFileSync("readelf", ["-dW", to], { encoding: "utf8" });
      expect(shown).toMatch(/\(RPATH\) .*\[\$ORIGIN\/here\]/);
      expect(shown).not.toMatch(/RUNPATH/);
      const whole = await run("readelf", ["--all", "--wide", to]);
      expect(whole.stderr.replace(/.*Gap in build notes.*\n/g, "")).toBe("");
    });
  }

  skipUnless("gcc")("may be changed again", async () => {
    const [from, to] = [path.join(dir, "again"), path.join(dir, "again.changed")];
    compiler("main.c", "here/libanswer.so", "-o", "again");
    await change(from, to, "$ORIGIN/gone");
    await change(to, from, "$ORIGIN/here:$ORIGIN/gone");
    expect(await run(from, [])).toMatchObject({ stdout: "42 1\n" });
  });

  skipUnless("gcc")("has the same bytes each time", async () => {
    const from = path.join(dir, "here/libanswer.so");
    const [one, two] = [path.join(dir, "one"), path.join(dir, "two")];
    await change(from, one, "$ORIGIN");
    await change(from, two, "$ORIGIN");
    expect(readFileSync(one).equals(readFileSync(two))).toBe(true);
  });

  test("is refused, or made, where headers are damaged", async () => {
    const bytes = makeProgram({ needed: ["liba.so"], versions: { "libc.so.6": ["GLIBC_2.34"] } });
    const file = path.join(temporaryDirectory(), "damaged");
    let made = 0;
    for (let place = 32; place + 8 <= bytes.length; place += 8) {
      for (const value of [
        0n,
        1n,
        0xffffn,
        0x7fffffffn,
        0x1fffffffffffffn,
        ~0n & 0xffffffffffffffffn,
      ]) {
        const damaged = Buffer.from(bytes);
        damaged.writeBigUInt64LE(value, place);
        writeFileSync(file, damaged);
        const code = await change(file, `${file}.x`, "$ORIGIN").then(
          () => "made",
          (error: { code?: string }) => error.code,
        );
        expect(["made", "E_ELF_MALFORMED", "E_ELF_UNSUPPORTED"]).toContain(code);
        if (code === "made") made++;
      }
    }
    expect(made).toBeGreaterThan(0);
  });

  test("is refused where there is nothing to change", async () => {
    const file = path.join(temporaryDirectory(), "static");
    writeFileSync(file, makeElf());
    await expect(change(file, `${file}.x`, "$ORIGIN")).rejects.toMatchObject({
      code: "E_ELF_UNSUPPORTED",
    });
  });
});
