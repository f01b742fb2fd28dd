import { describe, expect, test } from "vitest";
import { readDynamicBytes } from "../../../builder/elf/dynamic.ts";
import {
  cannotStartByOwnLoader,
  type OwnLoader,
  ownLoaderOf,
  startByOwnLoader,
  withoutOwnLoader,
} from "../../../builder/elf/own-loader.ts";
import { readElfBytes } from "../../../builder/elf/read.ts";
import { withRunPath } from "../../../builder/elf/run-path.ts";
import { machines, ownLoaderFormat } from "../../../builder/generated/spec.ts";
import { type DynamicShape, makeDynamicElf, makeProgram } from "../../support/dynamic-elf.ts";
import { makeElf } from "../../support/elf.ts";

const own: OwnLoader = {
  libc: "glibc",
  root: 1,
  loader: "lib/libc/ld.so",
  libraries: ["lib/libc", "lib/more"],
  gconv: "lib/libc/gconv",
  mode: "auto",
  versions: ["GLIBC_2.34", "GLIBC_ABI_DT_RELR"],
};

const refused = async (bytes: Buffer, rights = {}) =>
  (await cannotStartByOwnLoader(bytes, "file", rights))?.reason;

/** Its first segment is all of the file: only zeros may follow a made program, or it is a payload. */
const made = (shape: DynamicShape = {}) => makeProgram({ needed: ["libc.so.6"], ...shape });

describe("what a program says of its own loader", () => {
  for (const [title, given] of Object.entries({
    "all of it": own,
    "no gconv modules, no folder but one": { ...own, gconv: undefined, libraries: ["lib"] },
    "musl's, always": { ...own, libc: "musl", mode: "pack", versions: [] },
    "names beyond ASCII, deep in the tree": { ...own, loader: "lib/öäü/ld.so", root: 7 },
  } satisfies Record<string, OwnLoader>)) {
    test(title, async () => {
      const bytes = await startByOwnLoader(made(), given, "file");
      const interpreter = "/lib64/ld-linux-x86-64.so.2";
      expect(await ownLoaderOf(bytes, "file")).toEqual({ ...given, interpreter });
    });
  }

  test("nothing, when it has none", async () => {
    expect(await ownLoaderOf(made(), "file")).toBeUndefined();
    expect(await ownLoaderOf(Buffer.from("#!/bin/sh\n"), "file")).toBeUndefined();
  });

  test("is taken away, and the program is what it was", async () => {
    const bytes = await startByOwnLoader(made(), own, "file");
    const after = await withoutOwnLoader(bytes, "file");
    expect(await ownLoaderOf(after, "file")).toBeUndefined();
    expect(await readDynamicBytes(after, "file")).toMatchObject({
      interpreter: "/lib64/ld-linux-x86-64.so.2",
      needed: ["libc.so.6"],
    });
    expect(await withoutOwnLoader(after, "file")).toBe(after);
    expect((await startByOwnLoader(after, own, "file")).equals(bytes)).toBe(true);
  });

  test("is told with its dynamic section, and is the last change of a file", async () => {
    const bytes = await startByOwnLoader(made(), own, "file");
    const facts = await readDynamicBytes(bytes, "file");
    expect(facts).toMatchObject({ ownLoader: own, interpreter: "/lib64/ld-linux-x86-64.so.2" });
    const change = () => withRunPath(bytes, facts, { runPath: "$ORIGIN" }, "file");
    expect(change).toThrow("its loader stub has to be the last change of it");
  });

  test("is malformed when it contradicts itself", async () => {
    for (const [field, value] of [
      ["mode", 7],
      ["libc", 9],
      ["headers", 8],
      ["versions", 0xffffffff],
    ] as const) {
      const bytes = await startByOwnLoader(made(), own, "file");
      const at = bytes.indexOf("FUSELOAD") + ownLoaderFormat.fields[field];
      bytes.writeUInt32LE(value, at);
      await expect(readDynamicBytes(bytes, "file"), field).rejects.toMatchObject({
        code: "E_ELF_MALFORMED",
      });
    }
  });

  test("is replaced by what it is given next, as if it had none before", async () => {
    const first = await startByOwnLoader(made(), { ...own, root: 3, versions: [] }, "file");
    const second = await startByOwnLoader(first, own, "file");
    expect(await ownLoaderOf(second, "file")).toMatchObject(own);
    const third = await startByOwnLoader(second, own, "file");
    expect(third.equals(second)).toBe(true);
  });
});

describe("the program headers of a changed program", () => {
  for (const { name, elfMachine } of machines) {
    test(`are as many as before, with the stub's behind the others: ${name}`, async () => {
      const before = made({ machine: elfMachine });
      const elf = await readElfBytes(await startByOwnLoader(before, own, "file"), "file");
      const loads = elf.programs.filter(({ type }) => type === 1);
      const [stub, ...others] = [...loads].reverse();
      expect(elf.programs.some(({ type }) => type === 3)).toBe(false);
      for (const other of others) {
        expect(stub?.address).toBeGreaterThanOrEqual(other.address + other.memorySize);
      }
      expect((stub?.address ?? 0) % (stub?.alignment ?? 1)).toBe(
        (stub?.offset ?? 0) % (stub?.alignment ?? 1),
      );
      expect(stub?.flags).toBe(5);
    });
  }
});

describe("no loader of its own is for", () => {
  test("a static program", async () => {
    expect(await refused(makeElf())).toBe("static");
  });

  test("a static program at any address", async () => {
    const bytes = makeDynamicElf();
    bytes.writeBigUInt64LE(64n, 24);
    expect(await refused(bytes)).toBe("static");
  });

  test("a library, and one that can be run", async () => {
    expect(await refused(makeDynamicElf({ soname: "liba.so" }))).toBe("library");
    expect(await refused(made({ soname: "libc.so.6" }))).toBe("library");
  });

  test("a program with other rights than its caller's", async () => {
    for (const mode of [0o4755, 0o2755]) expect(await refused(made(), { mode })).toBe("set-id");
    expect(await refused(made(), { mode: 0o100755, capabilities: true })).toBe("set-id");
    expect(await refused(made(), { mode: 0o101755 })).toBeUndefined();
  });

  test("a program with data behind it", async () => {
    expect(await refused(Buffer.concat([made(), Buffer.from("PK\x05\x06")]))).toBe("payload");
    expect(await refused(Buffer.concat([made(), Buffer.alloc(5)]))).toBeUndefined();
  });

  test("a program that UPX compressed", async () => {
    const bytes = makeElf();
    expect(await refused(Buffer.concat([bytes, Buffer.from("UPX!")]))).toBe("upx");
  });

  test("another machine's", async () => {
    expect(await refused(made({ machine: 22 }))).toBe("machine");
    expect(await refused(made({ machine: 40 }))).toBe("machine");
  });

  test("a program whose dynamic linker has a relative path", async () => {
    expect(await refused(made({ interpreter: "lib/ld.so" }))).toBe("headers");
  });

  test("and the reason is told", async () => {
    const payload = Buffer.concat([made(), Buffer.from("x")]);
    await expect(startByOwnLoader(payload, own, "the file")).rejects.toMatchObject({
      code: "E_LIBC_PROGRAM",
      message: expect.stringContaining("the file: the program cannot start with a packed libc"),
    });
  });
});
