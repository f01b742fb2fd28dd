/** The runtime's own functions in place of the libc's. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { zigArchives } from "../../scripts/build/libraries.mjs";
import { skipUnless } from "../support/needs.ts";
import { root, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

skipUnless("gcc")("memory that is asked for is had, whole, by every thread", async () => {
  const program = path.join(temporaryDirectory(), "allocate");
  const flags = ["-std=gnu17", "-g", "-O1", "-fsanitize=undefined", "-fno-builtin"];
  const sources = [`-I${path.join(root, "runtime")}`, path.join(root, "test/c/allocate.c")];
  flags.push("-D_GNU_SOURCE", "-pthread");
  expect(await run("gcc", [...flags, ...sources, "-o", program])).toMatchObject({ status: 0 });
  expect(await run(program, [])).toEqual({ status: 0, signal: null, stdout: "", stderr: "" });
});

skipUnless("gcc")("numbers are what the libc's functions make", async () => {
  const program = path.join(temporaryDirectory(), "libc");
  const flags = ["-std=gnu17", "-g", "-O1", "-fsanitize=undefined", "-fno-builtin"];
  const sources = [`-I${path.join(root, "runtime")}`, path.join(root, "test/c/libc.c")];
  expect(await run("gcc", [...flags, ...sources, "-o", program])).toMatchObject({ status: 0 });
  expect(await run(program, [])).toEqual({ status: 0, signal: null, stdout: "", stderr: "" });
});

skipUnless("gcc")("memory is copied, filled and compared as byte by byte", async () => {
  const program = path.join(temporaryDirectory(), "memory");
  const flags = ["-std=gnu17", "-g", "-O1", "-fsanitize=address,undefined", "-fno-builtin"];
  const sources = [`-I${path.join(root, "runtime")}`, path.join(root, "test/c/memory.c")];
  expect(await run("gcc", [...flags, ...sources, "-o", program])).toMatchObject({ status: 0 });
  expect(await run(program, [])).toEqual({ status: 0, signal: null, stdout: "", stderr: "" });
});

/** What zig's memcpy is where a program is made small: a byte is taken, a byte is put, the next one. */
const BYTE_BY_BYTE = /\x40\x8a\x3c\x0e\x40\x88\x3c\x08\x48\xff\xc1/;

test.each(["front", "fuselage", "guest"])("%s copies no memory byte by byte", async (name) => {
  const file = path.join(root, "dist/runtime/x86_64", name);
  expect(readFileSync(file, "latin1").search(BYTE_BY_BYTE)).toBe(-1);
  // What would be linked without runtime/libc/memory.c.
  const archives = await zigArchives("x86_64");
  const has = archives.filter((one) => BYTE_BY_BYTE.test(readFileSync(one, "latin1")));
  expect(has.map((one) => path.basename(one))).toContain("libcompiler_rt.a");
});

/**
 * mul, then seto to memory. An emulator that brings the flag back wrong when the store faults makes an
 * overflow of each product: with QEMU 7.2 it does so every time, in one of 256 starts at each such place.
 */
const FLAG_THROUGH_MEMORY = /\xf7[\xe0-\xe7]\x0f\x90[\x00-\xbf]/;

test.each(["front", "fuselage"])(
  "%s takes no overflow flag through memory that may fault",
  (name) => {
    const file = path.join(root, "dist/runtime/x86_64", name);
    const bytes = readFileSync(file, "latin1");
    expect(bytes.search(FLAG_THROUGH_MEMORY)).toBe(-1);
    // What zig's calloc has: the pattern would find it.
    expect("\x48\xf7\xe6\x0f\x90\x44\x24\x08\x70\x25").toMatch(FLAG_THROUGH_MEMORY);
  },
);
