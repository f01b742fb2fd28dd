/** What changes programs and libcs, given files whose headers say anything: each has an end, and a code. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readDynamicBytes } from "../../../builder/elf/dynamic.ts";
import {
  cannotStartByOwnLoader,
  type OwnLoader,
  ownLoaderOf,
  startByOwnLoader,
  withoutOwnLoader,
} from "../../../builder/elf/own-loader.ts";
import { withPrivateVariables } from "../../../builder/elf/packed-libc.ts";
import { withoutHostFiles } from "../../../builder/elf/packed-loader.ts";
import { PT_DYNAMIC, PT_LOAD, readElfBytes } from "../../../builder/elf/read.ts";
import { withRunPath } from "../../../builder/elf/run-path.ts";
import { BundleError } from "../../../builder/errors.ts";
import { makeProgram } from "../../support/dynamic-elf.ts";
import { skipUnless } from "../../support/needs.ts";
import { hostLibrary } from "../../support/packed-libc.ts";
import { type Random, trials } from "../../support/random.ts";

const own: OwnLoader = {
  libc: "glibc",
  root: 1,
  loader: "lib/libc/ld.so",
  libraries: ["lib/libc"],
  mode: "auto",
  versions: ["GLIBC_2.34"],
};

type Act = (bytes: Buffer) => Promise<unknown>;

const read: Act = (bytes) => readDynamicBytes(bytes, "file");
const change: Act[] = [
  read,
  (bytes) => cannotStartByOwnLoader(bytes, "file"),
  (bytes) => startByOwnLoader(bytes, own, "file"),
  (bytes) => withoutOwnLoader(bytes, "file"),
  (bytes) => ownLoaderOf(bytes, "file"),
  async (bytes) => {
    const facts = await readDynamicBytes(bytes, "file");
    return withRunPath(bytes, facts, { runPath: "$ORIGIN/../lib" }, "file");
  },
];

/** Places of fields: of the header, the segments, the dynamic section, and of a loader stub. */
async function fieldsOf(bytes: Buffer): Promise<number[]> {
  const { programs, programTable } = await readElfBytes(bytes, "file");
  const every = (from: number, to: number, step: number) =>
    Array.from({ length: (to - from) / step }, (_, index) => from + index * step);
  const dynamic = programs.find(({ type }) => type === PT_DYNAMIC);
  const last = programs.findLast(({ type }) => type === PT_LOAD);
  return [
    ...every(4, 64, 2),
    ...every(programTable.offset, programTable.offset + programs.length * 56, 4),
    ...every(dynamic?.offset ?? 0, (dynamic?.offset ?? 0) + (dynamic?.fileSize ?? 0), 8),
    ...every(last?.offset ?? 0, (last?.offset ?? 0) + 96, 4),
  ];
}

/** Ends of ranges, beside what lies inside of the file and any number. */
const ENDS = [0n, 1n, 8n, 64n, 4096n, 1n << 20n, (1n << 31n) - 1n, (1n << 32n) - 1n];
const FAR = [(1n << 52n) - 4096n, (1n << 53n) - 1n, 1n << 53n, (1n << 63n) - 1n, (1n << 64n) - 1n];

function damage(bytes: Buffer, fields: readonly number[], random: Random): Buffer {
  const out = Buffer.from(bytes);
  const ends = [...ENDS, ...FAR];
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = fields[random.below(fields.length)] ?? 0;
    const values = [
      ends[random.below(ends.length)] ?? 0n,
      BigInt(random.below(bytes.length)),
      random.bytes(8).readBigUInt64LE(),
    ];
    const value = Buffer.alloc(8);
    value.writeBigUInt64LE(values[random.below(values.length)] ?? 0n);
    value.copy(out, at, 0, [2, 4, 8][random.below(3)] ?? 8);
  }
  return random.below(20) === 0 ? out.subarray(0, random.below(out.length)) : out;
}

/** How many of the damaged files each of the functions took. */
async function tried(bytes: Buffer, count: number, acts: readonly Act[]): Promise<number[]> {
  const fields = await fieldsOf(bytes);
  const taken = acts.map(() => 0);
  for (const [index, random] of trials(count)) {
    const damaged = damage(bytes, fields, random);
    for (const [which, act] of acts.entries()) {
      try {
        await act(damaged);
        taken[which] = (taken[which] ?? 0) + 1;
      } catch (cause) {
        if (cause instanceof BundleError && cause.code !== "E_INTERNAL") continue;
        throw new Error(`trial ${index}, function ${which}`, { cause });
      }
    }
  }
  return taken;
}

const COUNT = 1500;

describe("damaged headers", () => {
  const program = makeProgram({ needed: ["libc.so.6"], undefinedSymbols: ["puts"] });

  test("of a program", async () => {
    const taken = await tried(program, COUNT, change);
    for (const one of taken.slice(0, 2)) expect(one).toBeGreaterThan(0);
    for (const one of taken) expect(one).toBeLessThan(COUNT);
  });

  test("of one with a dynamic linker of its own", async () => {
    const taken = await tried(await startByOwnLoader(program, own, "file"), COUNT, change);
    for (const one of taken.slice(0, 5)) expect(one).toBeGreaterThan(0);
    for (const one of taken) expect(one).toBeLessThan(COUNT);
  });

  skipUnless("gcc")("of a libc and of its dynamic linker", async () => {
    for (const [name, act] of [
      ["libc.so.6", (bytes: Buffer) => withPrivateVariables(bytes, "file")],
      ["ld-linux-x86-64.so.2", async (bytes: Buffer) => withoutHostFiles(bytes, "file")],
    ] as const) {
      const [taken = 0] = await tried(readFileSync(hostLibrary(name)), 60, [act, read]);
      expect(taken).toBeGreaterThan(0);
    }
  });

  skipUnless("gcc")("of a libc whose variables and functions lie beyond a jump", async () => {
    const bytes = readFileSync(hostLibrary("libc.so.6"));
    const { programs, programTable } = await readElfBytes(bytes, "file");
    const last = programs.findLastIndex(({ type }) => type === PT_LOAD);
    for (const size of [1n << 27n, 1n << 32n, 1n << 40n, (1n << 52n) - 1n]) {
      const far = Buffer.from(bytes);
      far.writeBigUInt64LE(size, programTable.offset + last * 56 + 40); // p_memsz
      await expect(withPrivateVariables(far, "file")).rejects.toMatchObject({
        code: "E_LIBC_UNKNOWN",
      });
    }
  });
});

test("what an address or offset leads to behind the end of a file is refused", async () => {
  const program = makeProgram({ needed: ["libc.so.6"] });
  const { programs, programTable } = await readElfBytes(program, "file");
  for (const type of [PT_DYNAMIC, 3]) {
    const index = programs.findIndex((one) => one.type === type);
    for (const offset of [program.length, program.length + 1, 1 << 30, 2 ** 52]) {
      const far = Buffer.from(program);
      far.writeBigUInt64LE(BigInt(offset), programTable.offset + index * 56 + 8); // p_offset
      await expect(readDynamicBytes(far, "file")).rejects.toMatchObject({
        code: "E_ELF_MALFORMED",
      });
    }
  }
});
