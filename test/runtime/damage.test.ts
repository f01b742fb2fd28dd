/**
 * Bundles that were cut, stripped or changed: status 125, the file and the fault by name, and the
 * app never starts. Run with the sanitized runtime where there is a compiler for it, so that an
 * out-of-bounds access is a failure and not luck.
 */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { readElf } from "../../builder/elf/read.ts";
import { bundleOf, printed, runtimeFile } from "../support/bundle-of.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { pack, start, type Way, ways } from "../support/packed.ts";
import { type Outcome, run } from "../support/process.ts";
import { buildSanitized } from "../support/sanitized.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const app = {
  run: '#!/bin/sh\necho started; cat "$FUSELAGE_BUNDLE_DIR/data/text" | tail -n 1\n',
  "data/text": `${Array.from({ length: 30_000 }, (_, i) => `line ${i}`).join("\n")}\n`,
  "data/random": Buffer.from(Array.from({ length: 9000 }, (_, i) => (i * i * 7919) >> 7)),
};
const sound = "started\nline 29999\n";
const user = { strategy: "fuse", root: false } as const;

/** The bundle as bytes, where its image starts, and a place to write changed copies. */
interface Subject {
  file: string;
  bytes: Buffer;
  offset: number;
  copy: string;
}

async function subjectOf(file: string): Promise<Subject> {
  const offset = Number(printed(await run(file, ["--bundle-offset"])));
  return {
    file,
    bytes: readFileSync(file),
    offset,
    copy: path.join(temporaryDirectory(), "copy.run"),
  };
}

/** Replaces the copy by the bundle with other bytes at one place; the copy, of ten megabytes, stays in the kernel. */
function writeChanged({ file, copy }: Subject, at: number, bytes: Uint8Array): string {
  rmSync(copy, { force: true });
  copyFileSync(file, copy);
  const fd = openSync(copy, "r+");
  writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
  return copy;
}

function write({ copy }: Subject, bytes: Buffer): string {
  rmSync(copy, { force: true }); // A server of the last copy may still be ending.
  writeFileSync(copy, bytes);
  chmodSync(copy, 0o755);
  return copy;
}

const refused = (file: string, code: RegExp) => ({
  status: 125,
  signal: null,
  stdout: "",
  stderr: expect.stringMatching(new RegExp(`^fuselage: \\[(${code.source})\\] ${file}.*\\n  \\S`)),
});

let small: Subject; // as shipped
let checked: Subject; // the same image behind the sanitized runtime, or the shipped one again
let home: string;

beforeAll(async () => {
  home = userDirectory();
  const file = await pack(app, { name: "app" });
  small = await subjectOf(file);
  const image = path.join(temporaryDirectory(), "image.sfs");
  writeFileSync(image, small.bytes.subarray(small.offset));
  const runtime = missing("gcc") === undefined ? (await buildSanitized()).runtime : runtimeFile;
  checked = await subjectOf(await bundleOf(image, { name: "app" }, runtime));
});

skipUnless(
  "fuse",
  "userns",
  "gcc",
)("the sanitized runtime runs a sound bundle", async () => {
  const outcome = await start(user, write(checked, checked.bytes), [], home);
  expect(outcome).toEqual({ status: 0, signal: null, stdout: sound, stderr: "" });
});

describe("cut", () => {
  test("inside the image, at any byte", async () => {
    const { bytes, offset } = small;
    const lengths = new Set([offset, offset + 1, offset + 95, offset + 96, bytes.length - 1]);
    for (let i = 1; i < 120; i++) {
      lengths.add(offset + Math.floor(((bytes.length - offset) * i) / 120));
    }
    for (const length of lengths) {
      const file = write(small, bytes.subarray(0, length));
      const code = length === offset ? /E_IMAGE_MISSING/ : /E_IMAGE_TRUNCATED/;
      expect(await start(user, file, [], home)).toEqual(refused(file, code));
    }
  });

  test("inside the section headers and the manifest", async () => {
    const { bytes, offset } = small;
    for (let length = offset - 1; length > offset - 1800; length -= 37) {
      const file = write(small, bytes.subarray(0, length));
      expect(await start(user, file, [], home)).toEqual(refused(file, /E_ELF_MALFORMED/));
    }
  });

  test("inside the runtime's own code, the app does not start either", async () => {
    // Too short for the kernel, or code that is not there when it is needed: no app in any case.
    const handle = await open(write(small, small.bytes));
    const { sections } = await readElf(handle, small.copy);
    await handle.close();
    const data = sections.find(({ name }) => name === ".data");
    const end = (data?.offset ?? 0) + (data?.size ?? 0);
    expect(end).toBeGreaterThan(100_000);
    for (let i = 1; i < 40; i++) {
      const file = write(small, small.bytes.subarray(0, Math.floor((end * i) / 40)));
      const outcome = await start(user, file, [], home).catch((error: NodeJS.ErrnoException) => ({
        status: error.code,
        stdout: "",
      }));
      expect(outcome.status).not.toBe(0);
      expect(outcome.stdout).toBe("");
    }
  });
});

skipUnless("strip")("stripped", async () => {
  const file = write(small, small.bytes);
  printed(await run("strip", [file]));
  expect(statSync(file).size).toBeLessThan(small.bytes.length);
  expect(await start(user, file, [], home)).toEqual(refused(file, /E_IMAGE_MISSING/));
});

describe("superblock", () => {
  const fields: [string, number, Buffer, RegExp][] = [
    ["magic", 0, Buffer.from("XXXX"), /E_IMAGE_CORRUPT/],
    ["magic of a big-endian image", 0, Buffer.from("sqsh"), /E_IMAGE_UNSUPPORTED/],
    ["no inodes", 4, Buffer.from([0, 0, 0, 0]), /E_IMAGE_CORRUPT/],
    ["block size", 12, Buffer.from([1, 0, 2, 0]), /E_IMAGE_CORRUPT/],
    ["huge fragment count", 16, Buffer.alloc(4, 0xff), /E_IMAGE_CORRUPT/],
    ["compressor lzo", 20, Buffer.from([3, 0]), /E_IMAGE_UNSUPPORTED/],
    ["compressor 77", 20, Buffer.from([77, 0]), /E_IMAGE_UNSUPPORTED/],
    ["block log", 22, Buffer.from([40, 0]), /E_IMAGE_CORRUPT/],
    ["no ids", 26, Buffer.from([0, 0]), /E_IMAGE_CORRUPT/],
    ["version", 28, Buffer.from([5, 0]), /E_IMAGE_UNSUPPORTED/],
    ["root inode", 32, Buffer.alloc(8, 0x77), /E_IMAGE_CORRUPT/],
    ["bytes used, longer", 40, Buffer.from([0, 0, 0, 0, 0, 1, 0, 0]), /E_IMAGE_CORRUPT/],
    ["bytes used, negative", 40, Buffer.alloc(8, 0xff), /E_IMAGE_CORRUPT/],
    ["id table", 48, Buffer.alloc(8, 0xff), /E_IMAGE_CORRUPT/],
    ["xattr table", 56, Buffer.alloc(8, 0x7f), /E_IMAGE_CORRUPT/],
    ["inode table", 64, Buffer.alloc(8, 0x7f), /E_IMAGE_CORRUPT/],
    ["inode table over the superblock", 64, Buffer.alloc(8), /E_IMAGE_CORRUPT/],
    ["directory table", 72, Buffer.alloc(8, 0x7f), /E_IMAGE_CORRUPT/],
    ["fragment table", 80, Buffer.alloc(8), /E_IMAGE_CORRUPT/],
  ];
  test.each(fields)("%s", async (_, at, value, code) => {
    const file = writeChanged(checked, checked.offset + at, value);
    expect(await start(user, file, [], home)).toEqual(refused(file, code));
  });
});

test("the manifest's checksum notices a changed byte", async () => {
  const bytes = Buffer.from(small.bytes);
  const at = bytes.lastIndexOf("FUSELAGE", small.offset);
  for (const i of [0, 9, 12, 16, 20, 24, 40, 60]) {
    const changed = Buffer.from(bytes);
    changed[at + i] = (changed[at + i] as number) ^ 0x41;
    const file = write(small, changed);
    const codes = /E_MANIFEST_MALFORMED|E_MANIFEST_VERSION/;
    expect(await start(user, file, [], home)).toEqual(refused(file, codes));
  }
});

/** What may come of one wrong byte: nothing, a refusal, or an I/O error that the app can report. */
function judge({ status, signal, stdout, stderr }: Outcome, file: string): string {
  if (status === 0 && stdout === sound) return "sound";
  if (status === 125 && stdout === "" && stderr.includes(file)) return "refused";
  const reported = /Input\/output error|Structure needs cleaning/.test(stderr);
  if (signal === null && stdout.startsWith("started\n") && reported) return "reported";
  return `status ${status} ${signal}: ${stdout} ${stderr}`;
}

/** Which of `every` places a way tries: those of one strategy share them, for one program reads the image for both. */
function shareOf(way: Way): { first: number; every: number } {
  const alike = ways.filter(({ strategy }) => strategy === way.strategy);
  return { first: alike.indexOf(way), every: alike.length };
}

describe.each(ways)("a changed byte anywhere in the image, $title", (way) => {
  skipUnless(...way.needs)("is refused, reported or harmless, never wrong", async () => {
    const { first, every } = shareOf(way);
    const { bytes, offset } = checked;
    const seen = new Map<string, number>();
    const dir = way.root ? temporaryDirectory() : home;
    const used = Number(bytes.readBigUInt64LE(offset + 40));
    for (let i = first; i < 150; i += every) {
      const at = offset + Math.floor((used * i) / 150);
      const byte = (bytes[at] as number) ^ (1 << (i % 8));
      const file = writeChanged(checked, at, Uint8Array.of(byte));
      const env = { LC_ALL: "C" };
      const verdict = judge(await start(way, file, [], dir, { env }), file);
      seen.set(verdict, (seen.get(verdict) ?? 0) + 1);
    }
    const verdicts = [...seen.keys()].filter((v) => !["sound", "refused", "reported"].includes(v));
    expect(verdicts).toEqual([]);
    expect(seen.get("refused")).toBeGreaterThan(0);
  });
});
