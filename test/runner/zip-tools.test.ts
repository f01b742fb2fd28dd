/** Zip files as the tools of other systems write them: names, separators, times. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { crc32 } from "node:zlib";
import { describe, expect } from "vitest";
import { ask, checkOf, refused, ways } from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { extraField, makeZip, type ZipEntry } from "../support/zip.ts";

function write(content: Buffer): string {
  const file = path.join(temporaryDirectory(), "a.zip");
  writeFileSync(file, content);
  return file;
}

const uses: [string, string][] = [
  ["--static", "FUSELAGE_STATIC"],
  ["--dynamic", "FUSELAGE_DYNAMIC"],
];
const list = "LC_ALL=C find . -mindepth 1 -type f | LC_ALL=C sort";
const fat = 0;
const unix = 3;
const noFlags = { flags: 0 };

/** The Unicode path field for a header's name. */
function unicodePath(name: string, of: Buffer, crc = crc32(of), version = 1): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(version, 0);
  head.writeUInt32LE(crc, 1);
  return extraField(0x7075, Buffer.concat([head, Buffer.from(name)]));
}

/** An entry whose bytes are not UTF-8, without bit 11. */
function legacy(stored: Buffer, more: Partial<ZipEntry> = {}): ZipEntry {
  return { name: "", stored, content: "x", madeBy: fat, claim: noFlags, ...more };
}

const ascii = Buffer.from("A.TXT");
const cp437 = Buffer.from([0x8c, 0x81, 0x9a, 0xe1, 0x9b, 0xb0, 0xff]); // î ü Ü ß ¢ ░ no-break space
const latin1 = Buffer.from("caf\xe9", "latin1");

const named: [string, ZipEntry, string | Buffer][] = [
  [
    "a Unicode path in place of bytes of a code page",
    legacy(latin1, { extra: [unicodePath("d/café 日本.txt", latin1)] }),
    "d/café 日本.txt",
  ],
  [
    "a Unicode path in place of an ASCII name",
    legacy(ascii, { madeBy: unix, extra: [unicodePath("α.txt", ascii)] }),
    "α.txt",
  ],
  [
    "a Unicode path behind other fields",
    legacy(ascii, {
      extra: [extraField(0xcafe, Buffer.alloc(0)), unicodePath("β", ascii)],
    }),
    "β",
  ],
  [
    "no Unicode path that was made for another name",
    legacy(ascii, { extra: [unicodePath("other", Buffer.from("B.TXT"))] }),
    "A.TXT",
  ],
  [
    "no Unicode path of another version",
    legacy(ascii, { extra: [unicodePath("other", ascii, crc32(ascii), 2)] }),
    "A.TXT",
  ],
  ["no Unicode path without a name", legacy(ascii, { extra: [unicodePath("", ascii)] }), "A.TXT"],
  [
    "no Unicode path that is too short for its checksum",
    legacy(ascii, { extra: [extraField(0x7075, Buffer.from([1, 2]))] }),
    "A.TXT",
  ],
  ["code page 437", legacy(cp437), "îüÜß¢░\u00a0"],
  ["code page 437 of NTFS", legacy(cp437, { madeBy: 10 }), "îüÜß¢░\u00a0"],
  ["code page 437 of Info-ZIP on Windows", legacy(cp437, { madeBy: 11 }), "îüÜß¢░\u00a0"],
  ["UTF-8 that no flag tells of", legacy(Buffer.from("naïve ☃")), "naïve ☃"],
  ["a surrogate, which is no UTF-8", legacy(Buffer.from([0xed, 0xa0, 0x80])), "φáÇ"],
  ["an overlong slash, which is no UTF-8", legacy(Buffer.from([0xc0, 0xaf])), "└»"],
  ["bytes of a Unix file system as they are", legacy(latin1, { madeBy: unix }), latin1],
  ["bytes that claim to be UTF-8 as they are", legacy(latin1, { claim: {} }), latin1],
  ["backslashes of Windows", legacy(Buffer.from("d\\e\\f.txt")), "d/e/f.txt"],
  ["backslashes with bit 11", legacy(Buffer.from("d\\é"), { claim: {} }), "d/é"],
  ["backslashes in code page 437", legacy(Buffer.from("d\\\x81", "latin1")), "d/ü"],
  ["backslashes in a Unicode path", legacy(ascii, { extra: [unicodePath("d\\ö", ascii)] }), "d/ö"],
  ["a backslash beside a slash", legacy(Buffer.from("d/e\\f")), "d/e\\f"],
  ["a backslash of Unix", legacy(Buffer.from("d\\e"), { madeBy: unix }), "d\\e"],
];

/** Seconds since 1970 as a field holds them, modulo 2^32. */
function seconds(iso: string): number {
  return (Date.parse(iso) / 1000) >>> 0;
}

function unixTime(iso: string): Buffer {
  const content = Buffer.alloc(5, 1);
  content.writeUInt32LE(seconds(iso), 1);
  return extraField(0x5455, content);
}

function oldUnixTime(id: number, iso: string): Buffer {
  const content = Buffer.alloc(8);
  content.writeUInt32LE(seconds(iso), 4);
  return extraField(id, content);
}

function ntfsTime(iso: string | undefined): Buffer {
  const content = Buffer.alloc(32);
  content.writeUInt16LE(1, 4);
  content.writeUInt16LE(24, 6);
  const units = iso === undefined ? 0 : (Date.parse(iso) / 1000 + 11_644_473_600) * 1e7;
  content.writeBigUInt64LE(BigInt(units), 8);
  return extraField(0x000a, content);
}

/** Title, fields, year of the MS-DOS time, expected: in memory, and in an image of 1970 to 2106. */
const times: [string, Buffer[], number, string, string?][] = [
  ["MS-DOS", [], 2020, "2020-02-03T12:30:00Z"],
  ["MS-DOS after 2038", [], 2100, "2100-02-03T12:30:00Z"],
  ["Unix before 1980", [unixTime("1971-05-06T07:08:09Z")], 1980, "1971-05-06T07:08:09Z"],
  [
    "Unix before 1970",
    [unixTime("1960-05-06T07:08:09Z")],
    1980,
    "1960-05-06T07:08:09Z",
    "1970-01-01T00:00:00Z",
  ],
  ["Unix after 2038", [unixTime("2040-05-06T07:08:09Z")], 2040, "2040-05-06T07:08:09Z"],
  [
    "Unix without a last change",
    [extraField(0x5455, Buffer.alloc(5))],
    2020,
    "2020-02-03T12:30:00Z",
  ],
  ["NTFS", [ntfsTime("1990-01-02T03:04:05Z")], 2020, "1990-01-02T03:04:05Z"],
  [
    "NTFS beyond all others",
    [unixTime("1971-05-06T07:08:09Z"), ntfsTime("2200-01-02T03:04:05Z")],
    2107,
    "2200-01-02T03:04:05Z",
    "2106-02-07T06:28:15Z",
  ],
  ["NTFS without one", [ntfsTime(undefined)], 2020, "2020-02-03T12:30:00Z"],
  ["NTFS that is cut", [extraField(0x000a, Buffer.alloc(2))], 2020, "2020-02-03T12:30:00Z"],
  ["PKWARE's Unix", [oldUnixTime(0x000d, "1985-01-02T03:04:05Z")], 2020, "1985-01-02T03:04:05Z"],
  ["macOS", [oldUnixTime(0x5855, "1985-01-02T03:04:05Z")], 2020, "1985-01-02T03:04:05Z"],
];

const byPython = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("räksmörgås/日本.txt", "one")
    windows = zipfile.ZipInfo("sub\\\\dir\\\\ä.txt", (2107, 12, 31, 23, 59, 58))
    windows.create_system = 0
    z.writestr(windows, "two")
    folder = zipfile.ZipInfo("empty\\\\")
    folder.create_system = 0
    z.writestr(folder, "")
`;

describe.each(ways)("$title", (way) => {
  const check = checkOf(way);

  for (const [title, entry, expected] of named) {
    check(`takes ${title}`, async () => {
      const file = write(makeZip([entry]));
      for (const [option, variable] of uses) {
        const script = `cd "$${variable}/a" && ${list} | od -An -v -tx1 | tr -d ' \\n'`;
        const shown = await ask(way, [`${option}=a:${file}`, "sh", "-c", script]);
        const wanted = Buffer.concat([Buffer.from("./"), Buffer.from(expected), Buffer.from("\n")]);
        expect(Buffer.from(shown, "hex")).toEqual(wanted);
      }
    });
  }

  const unsafe: [string, ZipEntry[]][] = [
    ["climbs by backslashes", [legacy(Buffer.from("..\\evil"))]],
    ["is absolute by a backslash", [legacy(Buffer.from("\\evil"))]],
    ["climbs by its Unicode path", [legacy(ascii, { extra: [unicodePath("../evil", ascii)] })]],
    [
      "has a NUL byte in its Unicode path",
      [legacy(ascii, { extra: [unicodePath("evil\0", ascii)] })],
    ],
    ["is there twice when it is decoded", [legacy(cp437), legacy(Buffer.from("îüÜß¢░\u00a0"))]],
    ["is too long when it is decoded", [legacy(Buffer.alloc(200, 0xb0))]],
  ];
  for (const [title, entries] of unsafe) {
    check(`a name that ${title} is refused`, async () => {
      const file = write(makeZip(entries));
      for (const [option] of uses) {
        const outcome = await refused(way, [`${option}=a:${file}`, "echo", "started"]);
        expect(outcome).toMatchObject({ status: 125, code: "E_ARCHIVE_UNSAFE", stdout: "" });
      }
    });
  }

  for (const [title, extra, year, expected, inImage = expected] of times) {
    check(`time of ${title}`, async () => {
      const file = write(makeZip([{ name: "f", content: "x", year, extra }]));
      for (const more of [[], ["--cache-static"]]) {
        const script = 'stat -c %Y "$FUSELAGE_STATIC/a/f"';
        const out = await ask(way, [...more, `--static=a:${file}`, "sh", "-c", script]);
        const wanted = more.length ? inImage : expected;
        expect(new Date(Number(out) * 1000).toISOString()).toBe(wanted.replace("Z", ".000Z"));
      }
    });
  }

  checkOf(way, "python3")("a zip file of Python's zipfile, as Windows would write it", async () => {
    const file = path.join(temporaryDirectory(), "a.zip");
    execFileSync("python3", ["-c", byPython, file]);
    const script = `cd "$FUSELAGE_STATIC/a" && ${list} && [ -d empty ] && cat */*.txt */*/*.txt &&
      TZ=UTC stat -c %y sub/dir/ä.txt`;
    const out = await ask(way, ["-s", `a:${file}`, "sh", "-c", script]);
    expect(out).toMatch(
      /^\.\/räksmörgås\/日本\.txt\n\.\/sub\/dir\/ä\.txt\nonetwo2107-12-31 23:59:58/,
    );
  });

  const packers = [
    ["bsdtar", "bsdtar", ["-cf", "../a.zip", "--format", "zip"]],
    ["sevenZip", "7z", ["a", "-bd", "../a.zip"]],
    ["zip", "zip", ["-qry", "../a.zip"]],
  ] as const;
  for (const [need, packer, args] of packers) {
    checkOf(way, need)(`names and times of ${packer}`, async () => {
      const dir = temporaryDirectory();
      const fill = `mkdir -p t/naïve && cd t && echo 1 > naïve/日本.txt && echo 2 > 'back\\slash' &&
        touch -d 1975-03-04T05:06:07Z naïve/日本.txt && exec "$0" "$@" naïve back*`;
      const env = { ...process.env, LC_ALL: "C.UTF-8" };
      execFileSync("sh", ["-c", fill, packer, ...args], { cwd: dir, env, stdio: "pipe" });
      expect(readFileSync(path.join(dir, "a.zip")).toString("latin1", 0, 2)).toBe("PK");
      const script = `cd "$FUSELAGE_STATIC/a" && ${list} && stat -c %Y naïve/日本.txt`;
      const out = await ask(way, ["-s", `a:${path.join(dir, "a.zip")}`, "sh", "-c", script]);
      const time = seconds("1975-03-04T05:06:07Z");
      expect(out).toBe(`./back\\slash\n./naïve/日本.txt\n${time}\n`);
    });
  }
});
