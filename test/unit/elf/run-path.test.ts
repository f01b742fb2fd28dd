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
    writeFileSync(to, withRunPath(readFileSync(from), facts, { runPath }, from), { mode: 0o755 });
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

  const reader = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int answer(void);
int main(int argc, char **argv)
{
	FILE *self = fopen("/proc/self/exe", "rb");
	long at = 0;
	char text[8] = "";
	fseek(self, -24, SEEK_END); /* offset from the start, and from here */
	if (fread(text, 1, 8, self) != 8 || fread(&at, 8, 1, self) != 1) return 2;
	fseek(self, argc > 1 ? at : -24 - 4, argc > 1 ? SEEK_SET : SEEK_END);
	memset(text, 0, sizeof text);
	if (fread(text, 1, 4, self) != 4) return 3;
	printf("%d %s\\n", answer(), text);
	return 0;
}
`;
  const layouts = {
    "at any address": [],
    "at a fixed address": ["-no-pie"],
    "with a search path already": ["-Wl,-rpath,/nowhere"],
    "with headers and code in one segment": ["-Wl,-z,noseparate-code"],
    "without section headers": ["-s", "-Wl,-z,nosectionheader"],
  };
  for (const [title, flags] of Object.entries(layouts)) {
    skipUnless("gcc")(`keeps its payload, and all bytes at their places: ${title}`, async () => {
      const name = `payload-${title.replaceAll(" ", "-")}`;
      const [from, to] = [path.join(dir, name), path.join(dir, `${name}.changed`)];
      writeFileSync(path.join(dir, "reader.c"), reader);
      const known = flags.filter((flag) => !flag.includes("nosectionheader"));
      compiler("reader.c", "here/libanswer.so", "-o", name, ...known);
      const program = readFileSync(from);
      if (known.length < flags.length) {
        program.fill(0, 40, 48); // e_shoff
        program.writeUInt16LE(0, 60); // e_shnum
        program.writeUInt16LE(0, 62); // e_shstrndx
      }
      const trailer = Buffer.alloc(24);
      trailer.write("!trailer");
      trailer.writeBigUInt64LE(BigInt(program.length), 8);
      const whole = Buffer.concat([program, Buffer.from("DATA"), trailer]);
      writeFileSync(from, whole);
      await change(from, to, "$ORIGIN/here");
      const changed = readFileSync(to);
      expect(changed.length).toBe(whole.length);
      expect(changed.subarray(program.length).equals(whole.subarray(program.length))).toBe(true);
      expect(await run(to, [])).toMatchObject({ stdout: "42 DATA\n", stderr: "" });
      expect(await run(to, ["from-the-start"])).toMatchObject({ stdout: "42 DATA\n" });
      await change(to, from, "$ORIGIN/here:$ORIGIN/gone");
      expect(await run(from, [])).toMatchObject({ stdout: "42 DATA\n" });
    });
  }

  const sectionReader = `
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int answer(void);
static char *file;
static long size;
static const char *by_mark(void) /* as PyInstaller: from the end of the file backwards */
{
	char mark[9] = "kram!";
	strcat(mark, "XYZ");
	for (long at = size - 8; at >= 0; at--)
		if (memcmp(file + at, mark, 8) == 0) return file + at - 4;
	return "none";
}
static const char *by_section(void) /* as staticx */
{
	Elf64_Ehdr *head = (void *)file;
	Elf64_Shdr *sections = (void *)(file + head->e_shoff);
	const char *names = file + sections[head->e_shstrndx].sh_offset;
	for (int i = 0; i < head->e_shnum; i++)
		if (strcmp(names + sections[i].sh_name, "payload") == 0) return file + sections[i].sh_offset;
	return "none";
}
int main(void)
{
	FILE *self = fopen("/proc/self/exe", "rb");
	fseek(self, 0, SEEK_END);
	size = ftell(self);
	rewind(self);
	file = malloc(size);
	if (fread(file, 1, size, self) != (size_t)size) return 2;
	printf("%d %.4s %.4s\\n", answer(), by_mark(), by_section());
	return 0;
}
`;
  skipUnless("gcc")("leaves a payload that is a section where it is", async () => {
    const [from, to] = [path.join(dir, "in-section"), path.join(dir, "in-section.changed")];
    writeFileSync(path.join(dir, "section.c"), sectionReader);
    compiler("section.c", "here/libanswer.so", "-o", "section");
    writeFileSync(path.join(dir, "payload"), "DATAkram!XYZ");
    const added = ["--add-section", `payload=${path.join(dir, "payload")}`];
    execFileSync("objcopy", [...added, path.join(dir, "section"), from]);
    await change(from, to, "$ORIGIN/here");
    expect(await run(to, [])).toMatchObject({ stdout: "42 DATA DATA\n", stderr: "" });
    const at = readFileSync(from).indexOf("DATAkram!XYZ");
    expect(readFileSync(to).indexOf("DATAkram!XYZ")).toBe(at);
    // What is put behind that is a payload all the same, and so stays at the end.
    writeFileSync(from, Buffer.concat([readFileSync(from), Buffer.from("tail")]));
    await change(from, to, "$ORIGIN/here");
    expect(readFileSync(to).length).toBe(readFileSync(from).length);
    expect(await run(to, [])).toMatchObject({ stdout: "42 DATA DATA\n" });
  });

  skipUnless("gcc")("is refused where a payload must not move and there is no room", async () => {
    const [from, to] = [path.join(dir, "full"), path.join(dir, "full.changed")];
    compiler("main.c", "here/libanswer.so", "-o", "full", "-Wl,--spare-dynamic-tags=0");
    const plain = readFileSync(from);
    writeFileSync(from, Buffer.concat([plain, Buffer.from("payload")]));
    await expect(change(from, to, "$ORIGIN/here")).rejects.toMatchObject({
      code: "E_ELF_PAYLOAD",
      actual: "no free entry in its dynamic section",
      message: expect.stringMatching(/full: 7 bytes are appended/),
    });
    compiler("main.c", "here/libanswer.so", "-o", "full");
    writeFileSync(from, Buffer.concat([readFileSync(from), Buffer.from("payload")]));
    await expect(change(from, to, `$ORIGIN/${"x".repeat(4096)}`)).rejects.toMatchObject({
      code: "E_ELF_PAYLOAD",
      expected: "room for 4105 bytes inside of it",
    });
    // Padding is nobody's payload.
    writeFileSync(from, Buffer.concat([plain, Buffer.alloc(100)]));
    await change(from, to, "$ORIGIN/here");
    expect(await run(to, [])).toMatchObject({ stdout: "42 1\n" });
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
        expect(["made", "E_ELF_MALFORMED", "E_ELF_UNSUPPORTED", "E_ELF_PAYLOAD"]).toContain(code);
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
