import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { build, explain } from "../../../builder/api/build.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

/** The first bytes of an ELF program; 62 is x86_64, 183 aarch64, 3 i386, 22 s390x. */
function program(machine: number, bits: 32 | 64 = 64): Buffer {
  const bytes = Buffer.alloc(bits === 64 ? 64 : 52);
  bytes.write("\x7fELF", "latin1");
  bytes.set([bits === 64 ? 2 : 1, 1, 1], 4);
  bytes.writeUInt16LE(2, 16);
  bytes.writeUInt16LE(machine, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeUInt16LE(bytes.length, bits === 64 ? 52 : 40);
  bytes.writeUInt16LE(bits === 64 ? 56 : 32, bits === 64 ? 54 : 42);
  bytes.writeUInt16LE(bits === 64 ? 64 : 40, bits === 64 ? 58 : 46);
  return bytes;
}

/** A folder with a script that starts, and programs. */
function folder(files: Record<string, Buffer>): string {
  const input = path.join(temporaryDirectory(), "app");
  for (const [name, bytes] of Object.entries({ run: Buffer.from("#!/bin/sh\n"), ...files })) {
    mkdirSync(path.dirname(path.join(input, name)), { recursive: true });
    writeFileSync(path.join(input, name), bytes, { mode: /\.so/.test(name) ? 0o644 : 0o755 });
  }
  return input;
}

const warned = async (files: Record<string, Buffer>, arch: "x86_64" | "aarch64") => {
  const { warnings } = await explain({ input: folder(files), entry: "run", arch });
  return warnings.filter(({ code }) => code === "W_PROGRAM_MACHINE").map((one) => one.message);
};

describe("a script's programs for another machine", () => {
  test.each<[string, Record<string, Buffer>, "x86_64" | "aarch64", string]>([
    ["one", { tool: program(183) }, "x86_64", "tool is for aarch64, the bundle for x86_64"],
    [
      "of 32 bits",
      { "bin/tool": program(3, 32) },
      "x86_64",
      "bin/tool is for i686, the bundle for x86_64",
    ],
    [
      "a library",
      { "lib/libx.so.1": program(62) },
      "aarch64",
      "lib/libx.so.1 is for x86_64, the bundle for aarch64",
    ],
    [
      "several",
      { a: program(21), b: program(62) },
      "aarch64",
      "a is for machine 21 and 1 more, the bundle for aarch64",
    ],
  ])("are named: %s", async (_, files, arch, message) => {
    expect(await warned(files, arch)).toEqual([message]);
  });

  test.each<[string, Record<string, Buffer>]>([
    ["none at all", {}],
    [
      "one for this machine beside those for others",
      { a: program(183), b: program(62), c: program(3, 32) },
    ],
    ["what is no program", { "data.bin": Buffer.from("\x7fELF"), empty: Buffer.alloc(0) }],
  ])("are not: %s", async (_, files) => {
    expect(await warned(files, "x86_64")).toEqual([]);
  });
});

test("a bundle that becomes one for another machine is named", async () => {
  const output = path.join(temporaryDirectory(), "a.run");
  await build({ input: folder({}), entry: "run", output, arch: "x86_64" });
  const again = { input: output, output: `${output}.2` };
  expect((await build({ ...again, arch: "x86_64" })).warnings).toEqual([]);
  expect((await build(again)).warnings).toEqual([]);
  expect((await build({ ...again, arch: "aarch64" })).warnings).toMatchObject([
    {
      code: "W_PROGRAM_MACHINE",
      message: expect.stringContaining("is for x86_64, the bundle for aarch64"),
    },
  ]);
});

describe("advice for a program of another machine can be followed", () => {
  test.each<[string, Buffer, string]>([
    [
      "there is a runtime for it",
      program(183),
      'Build with arch: "aarch64", or pack a program for x86_64.',
    ],
    [
      "there is none",
      program(3, 32),
      "There are bundles for x86_64, aarch64, and riscv64 alone, none for 32-bit x86 (i686): pack a program for x86_64.",
    ],
    [
      "it has no name",
      program(21),
      "There are bundles for x86_64, aarch64, and riscv64 alone: pack a program for x86_64.",
    ],
  ])("%s", async (_, bytes, hint) => {
    const input = folder({ run: bytes });
    await expect(explain({ input, arch: "x86_64" })).rejects.toMatchObject({
      code: "E_ELF_MACHINE",
      hint,
    });
    const appImage = folder({ AppRun: Buffer.from("#!/bin/sh\n"), "usr/bin/app": bytes });
    const asAppImage = { input: appImage, arch: "x86_64", format: "appimage" } as const;
    await expect(explain(asAppImage)).rejects.toMatchObject({
      code: "E_APPDIR_ARCH",
      hint: hint.replace("Build with", "For an AppImage of such programs:"),
    });
  });
});
