/** Functions of the runtime that others have too, against those: byte for byte, with sanitizers. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { crc32 } from "node:zlib";
import { beforeAll, describe, expect } from "vitest";
import { readElf } from "../../builder/elf/read.ts";
import {
  manifestFormat,
  manifestHeader,
  manifestTags,
  reservedPaths,
} from "../../builder/generated/spec.ts";
import { encodeManifest } from "../../builder/manifest/encode.ts";
import {
  type FolderMap,
  formatMap,
  isProblem,
  mapsProblem,
  parseMap,
} from "../../builder/manifest/folder-map.ts";
import type { Manifest } from "../../builder/manifest/manifest.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { fuselage } from "../support/process.ts";
import { type Random, trials } from "../support/random.ts";
import { buildSanitized } from "../support/sanitized.ts";
import { decodeList, encodeList, type Run } from "../support/start-list.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let program: string;
beforeAll(async () => {
  if (missing("gcc") === undefined) program = (await buildSanitized()).units;
}, 600_000);

/** Runs one of them. @returns its exit status and what it printed, one character for each byte */
function unit(args: readonly (string | number)[], input: Buffer = Buffer.alloc(0)) {
  const { status, stdout, stderr } = spawnSync(program, args.map(String), {
    input,
    encoding: "latin1",
    maxBuffer: 1 << 24,
    // What a start has read it keeps until the app takes its place.
    env: { ...process.env, ASAN_OPTIONS: "detect_leaks=0" },
  });
  return { status, stdout, stderr };
}

const check = skipUnless("gcc");
const good = (stdout: string) => ({ status: 0, stdout, stderr: "" });

describe("base64", () => {
  /** In a file: it is read by position. */
  function decode(text: string) {
    const file = path.join(temporaryDirectory(), "text");
    writeFileSync(file, text);
    const { status, stdout, stderr } = spawnSync(
      "sh",
      ["-c", '"$0" base64 < "$1"', program, file],
      {
        encoding: "latin1",
      },
    );
    return { status, stdout, stderr };
  }

  check("gives back what Node encoded, whatever its length and the width of its lines", () => {
    for (const [index, random] of trials(45)) {
      const bytes = random.bytes(1 + ((index * 3) % 130));
      const text = bytes.toString("base64");
      const width = random.below(80) + 1;
      const lines = text.replace(new RegExp(`.{1,${width}}`, "g"), "$&\n");
      expect({ index, ...decode(lines) }).toEqual({ index, ...good(bytes.toString("latin1")) });
      // As editors, mail and other systems leave it.
      const written = good(bytes.toString("latin1"));
      for (const form of [
        `#!/bin/x\n${text}`,
        `\uFEFF${lines}`,
        `\uFEFF# words\r\n${lines.replaceAll("\n", "\r\n")}`,
        ` \t# words\n${lines.replace(/^/gm, "  ")}`,
        `\n\n${text}\n \n\t# the end`,
      ]) {
        expect({ index, form, ...decode(form) }).toEqual({ index, form, ...written });
      }
    }
  });

  check("refuses what no encoder writes", () => {
    for (const text of [
      "",
      "\n",
      "# only words\n",
      "AAA",
      "AAAAA",
      "AA=A",
      "A===",
      "AAA=AAAA",
      "AA-_",
      "A\0AA",
      "\uFEFF",
      "AA\uFEFFAA",
      "\uFEFF\uFEFFAAAA",
      "AAAA # words\n",
    ]) {
      expect({ text, ...decode(text) }).toMatchObject({ text, status: 1 });
    }
  });
});

check("sha256 is OpenSSL's, in pieces of any size", () => {
  for (const [index, random] of trials(150)) {
    const bytes = random.bytes(index < 130 ? index : random.below(100_000));
    const size = random.below(200) + 1;
    const wanted = createHash("sha256").update(bytes).digest("hex");
    expect({ index, ...unit(["sha256", size], bytes) }).toEqual({ index, ...good(`${wanted}\n`) });
  }
});

check("sort orders records of any size and number, equal ones and sorted ones too", () => {
  for (const [index, random] of trials(150)) {
    const size = random.below(40) + 1;
    const count = index < 20 ? index : random.below(2000);
    // Few different values, so that many are equal.
    const values = index % 3 === 0 ? 3 : 256;
    const bytes = Buffer.from(random.bytes(size * count).map((byte) => byte % values));
    const records = Array.from({ length: count }, (_, at) =>
      Buffer.from(bytes.subarray(at * size, (at + 1) * size)),
    );
    const sorted = Buffer.concat(records.sort(Buffer.compare));
    if (index % 5 === 1) sorted.copy(bytes);
    const result = unit(["sort", size], Buffer.from(bytes));
    expect({ index, ...result }).toEqual({ index, ...good(sorted.toString("latin1")) });
  }
});

describe("a directory that is merged into another one", () => {
  /** What is below a directory: paths, what files hold, where links lead. */
  function tree(dir: string): string[] {
    return readdirSync(dir, { recursive: true, withFileTypes: true })
      .map((entry) => {
        const full = path.join(entry.parentPath, entry.name);
        const what = entry.isFile() ? readFileSync(full, "utf8") : entry.isDirectory() ? "/" : "@";
        return `${path.relative(dir, full)} ${what}`;
      })
      .sort();
  }

  check("leaves what only one of them had, and takes the new one's where both had it", () => {
    const [from, to, outside] = [1, 2, 3].map(() => temporaryDirectory()) as [
      string,
      string,
      string,
    ];
    for (const dir of [from, to]) mkdirSync(path.join(dir, "both/deep"), { recursive: true });
    writeFileSync(path.join(from, "both/deep/file"), "new");
    writeFileSync(path.join(to, "both/deep/file"), "old");
    writeFileSync(path.join(to, "both/kept"), "kept");
    writeFileSync(path.join(from, "alone"), "new");
    // A link of the target's is replaced, never followed.
    writeFileSync(path.join(from, "link"), "new");
    writeFileSync(path.join(outside, "victim"), "untouched");
    symlinkSync(path.join(outside, "victim"), path.join(to, "link"));
    expect(unit(["merge", from, to])).toEqual(good(""));
    expect(tree(to)).toEqual([
      "alone new",
      "both /",
      "both/deep /",
      "both/deep/file new",
      "both/kept kept",
      "link new",
    ]);
    expect(readFileSync(path.join(outside, "victim"), "utf8")).toBe("untouched");
  });

  check("puts no directory in the place of a file, nor through a link to one", () => {
    for (const kind of ["file", "link"] as const) {
      const [from, to, outside] = [1, 2, 3].map(() => temporaryDirectory()) as [
        string,
        string,
        string,
      ];
      mkdirSync(path.join(from, "name"));
      writeFileSync(path.join(from, "name/inner"), "new");
      if (kind === "file") writeFileSync(path.join(to, "name"), "old");
      else symlinkSync(outside, path.join(to, "name"));
      expect({ kind, ...unit(["merge", from, to]) }).toMatchObject({ kind, status: 1 });
      expect({ kind, there: readdirSync(outside) }).toEqual({ kind, there: [] });
    }
  });
});

check("a tree that forbids it is removed, and what its links lead to stays", () => {
  const [dir, outside] = [1, 2].map(() => temporaryDirectory()) as [string, string];
  const tree = path.join(dir, "tree");
  mkdirSync(path.join(tree, "a/b/c"), { recursive: true });
  writeFileSync(path.join(tree, "a/b/file"), "");
  writeFileSync(path.join(outside, "victim"), "");
  symlinkSync(outside, path.join(tree, "a/link"));
  for (const name of ["a/b/c", "a/b", "a", ""]) chmodSync(path.join(tree, name), 0o000);
  expect(unit(["remove", tree])).toEqual(good(""));
  expect(existsSync(tree)).toBe(false);
  expect(existsSync(path.join(outside, "victim"))).toBe(true);
});

describe("a manifest of the builder's", () => {
  const text = (random: Random, most: number) =>
    random
      .bytes(random.below(most))
      .toString("latin1")
      .replace(/[\0\n]/g, "A");

  /** Tag and text of each change of the environment, in order. */
  const variableRecords = (manifest: Manifest) =>
    [
      [manifestTags.UNSET, manifest.unset],
      [manifestTags.ENV, manifest.env],
      [manifestTags.ENV_DEFAULT, manifest.envDefault],
      [manifestTags.ENV_PREPEND, manifest.envPrepend],
      [manifestTags.ENV_APPEND, manifest.envAppend],
    ].flatMap(([tag, list]) => ((list ?? []) as string[]).map((one) => `${tag}:${one}`));

  check("says the same to the runtime", () => {
    for (const [index, random] of trials(100)) {
      const list = (make: () => string) => Array.from({ length: random.below(6) }, make);
      const manifest: Manifest = {
        name: `n${text(random, 20).replaceAll("/", "-")}`,
        entry: `bin/p${index}`,
        args: list(() => text(random, 300)),
        unset: list(() => `U${random.below(99)}`),
        env: list(() => `E${random.below(99)}=${text(random, 50)}`),
        envDefault: list(() => `D${random.below(99)}=${text(random, 50)}`),
        envPrepend: list(() => `P${random.below(99)},=${text(random, 50)}`),
        envAppend: list(() => `A${random.below(99)}=${text(random, 50)}`),
        ...(index % 2 ? { mountAt: `/run/fuselage/n${index}` } : {}),
        imageSize: 4096 * (1 + random.below(1000)),
        noRuntimeOptions: false,
        version: "0.1.0",
        arch: "x86_64",
      };
      const file = path.join(temporaryDirectory(), "manifest");
      const bytes = encodeManifest(manifest);
      writeFileSync(file, Buffer.concat([Buffer.alloc(index), bytes]));
      const wanted = [
        `name=${manifest.name}`,
        `entry=${manifest.entry}`,
        ...(manifest.mountAt ? [`mountAt=${manifest.mountAt}`] : []),
        ...manifest.args.map((arg) => `arg=${arg}`),
        ...variableRecords(manifest),
        `imageSize=${manifest.imageSize}`,
      ];
      const result = unit(["manifest", file, index, bytes.length]);
      expect({ index, ...result }).toEqual({ index, ...good(`${wanted.join("\n")}\n`) });
    }
  });
});

describe("start lists", () => {
  const runsOf = (random: Random, count: number): Run[] =>
    Array.from({ length: count }, () => ({
      number: random.below(4) ? 1 + random.below(9) : 1 + random.below(2 ** 32 - 1),
      first: random.below(3) ? random.below(1000) : random.below(2 ** 32) * 2 ** 18,
      pages: 1 + random.below(random.below(2) ? 5 : 2 ** 30),
    }));
  const lines = (runs: readonly Run[]) =>
    runs.map(({ number, first, pages }) => `${number} ${first} ${pages}\n`).join("");
  /** Runs that follow each other are one. */
  const joined = (runs: readonly Run[]) => {
    const out: Run[] = [];
    for (const run of runs) {
      const last = out.at(-1);
      if (last && last.number === run.number && last.first + last.pages === run.first)
        last.pages += run.pages;
      else out.push({ ...run });
    }
    return out;
  };

  check("are read and written as the format says", () => {
    for (const [index, random] of trials(60)) {
      const runs = runsOf(random, random.below(200));
      for (const run of [...runs]) {
        if (!random.below(5))
          runs.splice(runs.indexOf(run) + 1, 0, { ...run, first: run.first + run.pages, pages: 3 });
      }
      const list = encodeList(joined(runs));
      expect({ index, ...unit(["starts"], list) }).toEqual({ index, ...good(lines(joined(runs))) });
      const written = unit(["starts", "write"], Buffer.from(lines(runs)));
      expect({ index, ...written }).toEqual({ index, ...good(list.toString("latin1")) });
      expect(decodeList(list)).toEqual(joined(runs));
      // Cut off anywhere, its first runs are still there.
      const part = unit(["starts"], list.subarray(0, random.below(list.length)));
      expect(lines(joined(runs)).startsWith(part.stdout)).toBe(true);
    }
  });

  check("have no more runs and bytes than they may have", () => {
    const far = Array.from({ length: 20_000 }, (_, i) => ({
      number: 1 + (i % 2) * 4_000_000_000,
      first: i * 1_000_000_007,
      pages: 1 + i,
    }));
    const near = far.map((run, i) => ({ ...run, number: 1, first: i * 3, pages: 1 }));
    for (const runs of [far, near]) {
      const { stdout } = unit(["starts", "write"], Buffer.from(lines(runs)));
      expect(stdout.length).toBeLessThanOrEqual(65_536);
      const read = unit(["starts"], Buffer.from(stdout, "latin1")).stdout;
      const count = read.split("\n").length - 1;
      expect(read).toBe(lines(runs.slice(0, count)));
      expect(count).toBeGreaterThan(3000);
      expect(count).toBeLessThanOrEqual(16_384);
    }
    expect(unit(["starts"], encodeList(near)).stdout).toBe(lines(near.slice(0, 16_384)));
    expect(unit(["starts"], encodeList(far))).toEqual(good(""));
  });

  check("in a manifest are base64, and what is not is no list", () => {
    const list = encodeList(joined(runsOf([...trials(1)][0]?.[1] as Random, 50)));
    const text = list.toString("base64");
    const cases: [string, string][] = [
      [text, list.toString("hex")],
      ["", ""],
      ["A", ""],
      ["====", ""],
      [`${text.slice(0, 8)}!`, ""],
    ];
    for (const [value, wanted] of cases) {
      const manifest: Manifest = {
        name: "n",
        entry: "e",
        args: [],
        env: [],
        imageSize: 4096,
        noRuntimeOptions: false,
        version: "0.1.0",
        arch: "x86_64",
      };
      const bytes = withRecord(encodeManifest(manifest), manifestTags.START, value);
      const file = path.join(temporaryDirectory(), "manifest");
      writeFileSync(file, bytes);
      const { status, stdout } = unit(["manifest", file, 0, bytes.length]);
      expect([value, status, stdout]).toEqual([
        value,
        0,
        `name=n\nentry=e\nimageSize=4096\nstart=${wanted}\n`,
      ]);
    }
  });
});

/** The manifest with one more record, which is not critical. */
function withRecord(manifest: Buffer, tag: number, value: string): Buffer {
  const record = Buffer.alloc(Math.ceil((8 + value.length + 1) / 4) * 4);
  record.writeUInt16LE(tag, 0);
  record.writeUInt32LE(value.length + 1, 4);
  record.write(value, 8, "latin1");
  const out = Buffer.concat([manifest, record]);
  out.writeUInt32LE(out.length, manifestHeader.total);
  out.writeUInt32LE(manifest.readUInt32LE(manifestHeader.count) + 1, manifestHeader.count);
  out.writeUInt32LE(crc32(out.subarray(manifestFormat.headerBytes)), manifestHeader.checksum);
  return out;
}

describe("maps of folders", () => {
  /** What the builder makes of a list: each as it is recorded, and what is wrong. */
  function byBuilder(texts: readonly string[]): string[] {
    const maps: FolderMap[] = [];
    for (const text of texts) {
      const map = parseMap(text);
      if (isProblem(map)) return [...maps.map(formatMap), map.code];
      maps.push(map);
    }
    return [...maps.map(formatMap), mapsProblem(maps)?.code ?? "fine"];
  }
  /** The same of many lists, by the runtime. */
  function byRuntime(lists: readonly (readonly string[])[]): string[][] {
    const lines = lists.flatMap((list) => [...list, "--"]).map((line) => `${line}\n`);
    const answers: string[][] = [[]];
    for (const line of unit(["maps"], Buffer.from(lines.join(""), "latin1")).stdout.split("\n")) {
      answers.at(-1)?.push(line);
      if (/^(fine|E_\w+)$/.test(line)) answers.push([]);
    }
    return answers.slice(0, -1);
  }
  const compare = (lists: readonly string[][]) => {
    const read = byRuntime(lists);
    expect(read.length).toBe(lists.length);
    for (const [index, list] of lists.entries()) {
      expect({ list, read: read[index] }).toEqual({ list, read: byBuilder(list) });
    }
    return new Set(read.map((lines) => lines.at(-1)));
  };
  const codes = ["fine", "E_MAP_INVALID", "E_MAP_RESERVED"];

  check("are read, and refused, by the builder and the runtime alike: a table", () => {
    const paths = ["/opt/a", "/nix/store", "/a-new/b/c", "/", "//", "/opt/", "/opt//a", "/."];
    const odd = ["/opt/../a", "/opt/..", "/opt/...", "/opt/.a", "/opt/a=b", "/opt/?", "/ x", "/.."];
    const long = [2047, 2048].map((length) => `/${"x".repeat(length - 1)}`);
    const system = reservedPaths.flatMap((one) => {
      const parent = one.split("/").slice(0, -1).join("/") || "/";
      return [one, `${one}/x`, `${one}x`, `${one}-x/y`, parent];
    });
    const all = [...paths, ...odd, ...long, ...system, "relative", "", "./x", "?", "!/"];
    const sources = [".", "lib", "a/b", "", "..", "a/..", "./a", "a//b", "a/", "/a", "a=b", "=/a"];
    const marks = ["", "?", "!", "?!", "!?", "??", "?!?"];
    const lists = all.flatMap((place) =>
      sources.flatMap((source) => marks.map((mark) => [`${source}=${mark}${place}`])),
    );
    expect([...compare(lists)].sort()).toEqual([...codes].sort());
  });

  check("are read alike whatever they are made of, and however many", () => {
    const parts = ["a", "b", "/", "/", "=", "=", "?", "!", ".", "..", "/opt", "/proc", "\xff"];
    const lists: string[][] = [];
    for (const [index, random] of trials(3000)) {
      const pick = (list: readonly string[]) => list[random.below(list.length)] ?? "";
      const text = () => Array.from({ length: 1 + random.below(9) }, () => pick(parts)).join("");
      const tidy = () => `d=/${pick(["opt", "srv", "opt-x"])}${pick(["", "/a", "/a/b"])}`;
      lists.push(Array.from({ length: 1 + random.below(4) }, index % 2 ? text : tidy));
    }
    expect([...compare(lists)].sort()).toEqual([...codes, "E_MAP_OVERLAP"].sort());
  });
});

check("the ELF reader of the builder and the runtime's find the same", async () => {
  for (const file of [fuselage, process.execPath, "/bin/sh"]) {
    const handle = await open(file);
    const elf = await readElf(handle, file);
    await handle.close();
    for (const name of [".fuselage", ".text", ".dynstr", ".nothing"]) {
      const section = elf.sections.find((one) => one.name === name);
      const [, end, at, size] = unit(["elf", file, name]).stdout.trim().split(" ").map(Number);
      const wanted = {
        file,
        name,
        at: section?.offset ?? 0,
        size: section?.size ?? 0,
        end: elf.endOffset,
      };
      expect({ file, name, at: section ? at : 0, size, end }).toEqual(wanted);
    }
  }
});
