import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decodeManifest } from "../../../builder/manifest/decode.ts";
import { encodeManifest, manifestBound } from "../../../builder/manifest/encode.ts";
import { formatKept, parseKept } from "../../../builder/manifest/kept-file.ts";
import { fromBytes, type Manifest } from "../../../builder/manifest/manifest.ts";

const manifest: Manifest = {
  name: "hello",
  entry: "bin/h\xe9llo\xff",
  args: ["--port=80", "", "two words\n"],
  env: ["A=1", "DATA=${FUSELAGE_BUNDLE_DIR}/data", "EMPTY="],
  imageSize: 8192,
  noRuntimeOptions: true,
  version: "0.1.0",
  arch: "x86_64",
};

/** Bytes of a manifest with these records: tag, flags, value without its NUL. */
function withRecords(records: readonly [number, number, string][]): Buffer {
  const body = Buffer.concat(
    records.map(([tag, flags, value]) => {
      const length = value.length + 1;
      const bytes = Buffer.alloc(8 + Math.ceil(length / 4) * 4);
      bytes.writeUInt16LE(tag, 0);
      bytes.writeUInt16LE(flags, 2);
      bytes.writeUInt32LE(length, 4);
      bytes.write(value, 8, "latin1");
      return bytes;
    }),
  );
  const header = Buffer.alloc(24);
  header.write("FUSELAGE");
  header.writeUInt16LE(1, 8);
  header.writeUInt32LE(24 + body.length, 12);
  header.writeUInt32LE(records.length, 16);
  header.writeUInt32LE(crc32(body), 20);
  return Buffer.concat([header, body]);
}

const needed: [number, number, string][] = [
  [2, 1, "run"],
  [5, 1, "4096"],
];

function reseal(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(24)), 20);
  return bytes;
}

describe("a manifest", () => {
  test("comes back as it was, bytes that are no UTF-8 and empty values too", () => {
    expect(decodeManifest(encodeManifest(manifest), "f")).toEqual(manifest);
  });

  test("may hold an invocation in place of an entry, a fixed path and the word writable", () => {
    const { entry, ...rest } = manifest;
    const invocation = ["--static=app:/proc/self/exe", "--run", "gr\xfcn", "--", ""];
    const other = { ...rest, invocation, mountAt: "/run/fuselage/a", writable: true };
    expect(decodeManifest(encodeManifest(other), "f")).toEqual(other);
    const words = { ...other, noRuntimeOptions: false };
    expect(decodeManifest(encodeManifest(words), "f")).toEqual(words);
  });

  test("may expand its arguments and take variables away", () => {
    const other = { ...manifest, expandArgs: true, unset: ["NODE_OPTIONS", "gr\xfcn"] };
    expect(decodeManifest(encodeManifest(other), "f")).toEqual(other);
  });

  test("may say what the app needs, in a record that earlier readers pass over", () => {
    const other = { ...manifest, needs: ["setuid", "a-later-word"] };
    const bytes = encodeManifest(other);
    expect(decodeManifest(bytes, "f")).toEqual(other);
    const at = bytes.indexOf(Buffer.from([16, 0, 0, 0, "setuid,a-later-word".length + 1, 0, 0, 0]));
    bytes.writeUInt16LE(999, at);
    expect(decodeManifest(reseal(bytes), "f")).toEqual(manifest);
    expect(decodeManifest(withRecords([...needed, [16, 0, ",,"]]), "f")).not.toHaveProperty(
      "needs",
    );
  });

  test("of an AppImage says so in a record that earlier readers pass over", () => {
    const marked = { ...manifest, appImageType: 2 };
    const bytes = encodeManifest(marked);
    expect(decodeManifest(bytes, "f")).toEqual(marked);
    const at = bytes.indexOf(Buffer.from([15, 0, 0, 0, 2, 0, 0, 0, 0x32, 0]));
    expect(at % 4).toBe(0);
    // Another tag that nobody knows, with the same flags.
    bytes.writeUInt16LE(999, at);
    expect(decodeManifest(reseal(bytes), "f")).toEqual(manifest);
  });

  test.each(["", "two", "-1"])("does not take %j as a type of AppImage", (type) => {
    expect(() => decodeManifest(withRecords([...needed, [15, 0, type]]), "f")).toThrow(
      expect.objectContaining({ code: "E_MANIFEST_MALFORMED" }),
    );
  });

  test.each(["", "A=1"])("does not take %j as the name of a variable to take away", (name) => {
    expect(() => decodeManifest(withRecords([...needed, [11, 1, name]]), "f")).toThrow(
      expect.objectContaining({ code: "E_MANIFEST_MALFORMED" }),
    );
  });

  test("may say that the image is a root directory, and all that goes with it", () => {
    const { entry: _, ...rest } = manifest;
    const image: Manifest = {
      ...rest,
      root: "image",
      cmd: ["-g", "daemon off;", ""],
      user: "www-data:33",
      workdir: "/sr\xfcv",
      run: ["--persist", "data"],
      ports: ["80/tcp", "7000-7010/udp"],
      volumes: ["/data"],
      stopSignal: "SIGQUIT",
      labels: ["a.b=c=d", "e="],
      source: "docker://host/name@sha256:00",
    };
    expect(decodeManifest(encodeManifest(image), "f")).toEqual(image);
    expect(decodeManifest(encodeManifest({ ...image, entry: "bin/a" }), "f")?.entry).toBe("bin/a");
  });

  test.each<[string, number, number, string]>([
    ["E_MANIFEST_VERSION", 22, 1, "host"],
    ["E_MANIFEST_MALFORMED", 24, 1, ""],
    ["E_MANIFEST_MALFORMED", 24, 1, "a:b:c"],
    ["E_MANIFEST_MALFORMED", 25, 1, "srv"],
    ["E_MANIFEST_MALFORMED", 27, 0, "http"],
    ["E_MANIFEST_MALFORMED", 28, 0, "data"],
    ["E_MANIFEST_MALFORMED", 29, 0, "quit"],
    ["E_MANIFEST_MALFORMED", 30, 0, "=c"],
    ["E_MANIFEST_MALFORMED", 10, 1, "/run/fuselage/a"],
    ["E_MANIFEST_MALFORMED", 17, 1, ".=/opt/a"],
  ])("is refused as %s when record %d of a root is %d, %j", (code, tag, flags, value) => {
    const root: [number, number, string][] = tag === 22 ? [] : [[22, 1, "image"]];
    const bytes = withRecords([...needed, ...root, [tag, flags, value]]);
    expect(() => decodeManifest(bytes, "f")).toThrow(expect.objectContaining({ code }));
  });

  test("may be followed by padding in its section", () => {
    const padded = Buffer.concat([encodeManifest(manifest), Buffer.alloc(100)]);
    expect(decodeManifest(padded, "f")).toEqual(manifest);
  });

  test("is never larger than its bound, whatever the image's size", () => {
    const bound = manifestBound(manifest);
    for (const imageSize of [0, 4096, 123456789 * 4096, Number.MAX_SAFE_INTEGER]) {
      expect(encodeManifest({ ...manifest, imageSize }).length).toBeLessThanOrEqual(bound);
    }
  });

  test("of zeros is none", () => {
    expect(decodeManifest(Buffer.alloc(64), "f")).toBeUndefined();
    expect(decodeManifest(Buffer.alloc(0), "f")).toBeUndefined();
  });

  test("may hold records that this version does not know, unless they are critical", () => {
    const more = (flags: number) => withRecords([...needed, [99, flags, "new"]]);
    expect(decodeManifest(more(0), "f")?.entry).toBe("run");
    const code = "E_MANIFEST_VERSION";
    expect(() => decodeManifest(more(1), "f")).toThrow(expect.objectContaining({ code }));
  });

  test("has at most 4096 records and 1 MiB", () => {
    const code = "E_MANIFEST_LIMIT";
    const many = { ...manifest, args: Array<string>(5000).fill("") };
    const large = { ...manifest, args: ["x".repeat(1 << 20)] };
    expect(() => encodeManifest(many)).toThrow(expect.objectContaining({ code }));
    expect(() => encodeManifest(large)).toThrow(expect.objectContaining({ code }));
  });

  test("cannot hold a NUL", () => {
    const code = "E_INTERNAL";
    const bad = { ...manifest, entry: "a\0b" };
    expect(() => encodeManifest(bad)).toThrow(expect.objectContaining({ code }));
  });
});

describe("a damaged manifest is refused:", () => {
  const good = encodeManifest(manifest);
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(good);
    change(bytes);
    return bytes;
  };
  const malformed = "E_MANIFEST_MALFORMED";
  test.each<[string, Buffer, string]>([
    ["a small section", good.subarray(0, 20), malformed],
    ["another magic", changed((b) => b.write("FUSELAGX")), malformed],
    ["a newer major version", changed((b) => b.writeUInt16LE(2, 8)), "E_MANIFEST_VERSION"],
    ["a size beyond the section", changed((b) => b.writeUInt32LE(b.length + 1, 12)), malformed],
    ["a size below the header", changed((b) => b.writeUInt32LE(10, 12)), malformed],
    ["too many records", changed((b) => b.writeUInt32LE(5000, 16)), malformed],
    ["more records than there are", changed((b) => b.writeUInt32LE(100, 16)), malformed],
    ["fewer records than there are", changed((b) => b.writeUInt32LE(1, 16)), malformed],
    ["a changed byte", changed((b) => b.writeUInt8(b.readUInt8(40) ^ 1, 40)), malformed],
    ["a length beyond the end", reseal(changed((b) => b.writeUInt32LE(1e6, 28))), malformed],
    ["a length of 0", reseal(changed((b) => b.writeUInt32LE(0, 28))), malformed],
    ["no NUL at the end", reseal(changed((b) => b.writeUInt8(65, 24 + 8 + 5))), malformed],
    ["a NUL inside", reseal(changed((b) => b.writeUInt8(0, 24 + 8 + 1))), malformed],
    ["an entry and an invocation", withRecords([...needed, [9, 1, "true"]]), malformed],
    ["a fixed path elsewhere", withRecords([...needed, [10, 1, "/run/other"]]), malformed],
    [
      "a fixed path of two names",
      withRecords([...needed, [10, 1, "/run/fuselage/a/b"]]),
      malformed,
    ],
    ["no entry", withRecords([[5, 1, "4096"]]), malformed],
    ["no image size", withRecords([[2, 1, "run"]]), malformed],
    ["an entry twice", withRecords([...needed, [2, 1, "other"]]), malformed],
    [
      "a size that is no number",
      withRecords([
        [2, 1, "run"],
        [5, 1, "0x10"],
      ]),
      malformed,
    ],
    ["an unknown option word", withRecords([...needed, [6, 1, "fly"]]), "E_MANIFEST_VERSION"],
  ])("%s", (_, bytes, code) => {
    expect(() => decodeManifest(bytes, "f")).toThrow(expect.objectContaining({ code }));
  });

  test("cut anywhere", () => {
    for (let size = 1; size < good.length; size++) {
      expect(() => decodeManifest(good.subarray(0, size), "f")).toThrow();
    }
  });
});

test("byte strings become text", () => {
  expect(fromBytes("gr\xc3\xbc\xc3\x9fe \xff")).toBe("grüße \ufffd");
});

test.each([
  [
    `17 ${"a".repeat(64)} bin/\xff name`,
    { size: 17, digest: "a".repeat(64), path: "bin/\xff name" },
  ],
  [`17 ${"a".repeat(63)} bin`, undefined],
  [`17 ${"A".repeat(64)} bin`, undefined],
  [`-17 ${"a".repeat(64)} bin`, undefined],
  [`17 ${"a".repeat(64)} /bin`, undefined],
  [`17 ${"a".repeat(64)} `, undefined],
])("a record KEEP, %j", (text, file) => {
  expect(parseKept(text)).toEqual(file);
  if (file) expect(formatKept(file)).toBe(text);
});
