/** Images made by hand: what layers do to each other, and what is refused. */
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, test } from "vitest";
import { readImage } from "../../../builder/oci/read-image.ts";
import { parseReference } from "../../../builder/oci/reference.ts";
import { contentSize } from "../../../builder/tree/node.ts";
import { readContents } from "../../../builder/tree/read-contents.ts";
import type { Tree } from "../../../builder/tree/tree.ts";
import { Layout, named, sha256, types } from "../../support/oci.ts";
import { type Member, member, pax, record, tarOf, withSum } from "../../support/tar.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

let dir: string;
let layout: Layout;

beforeEach(() => {
  dir = temporaryDirectory();
  layout = new Layout(`${dir}/layout`);
});

const read = (name = `oci:${dir}/layout`, devices = false) =>
  readImage(parseReference(name), {
    arch: "x86_64",
    devices,
    workspace: mkdtempSync(`${dir}/work-`),
    registry: {},
    step() {},
  });

/** Reads an image of these layers, the lowest first. */
async function tree(...layers: (Member | Buffer)[][]): Promise<Tree> {
  layout.index(layout.image(layers.map((members) => tarOf(...members))));
  return (await read()).tree;
}

const paths = (from: Tree) =>
  [...from.walk()].map(({ path }) => path).filter((path) => path !== "");

async function text(from: Tree, path: string): Promise<string> {
  const node = from.get(path);
  if (node?.kind !== "file") throw new Error(`${path} is no file`);
  const parts: Uint8Array[] = [];
  for await (const part of readContents(node.contents)) parts.push(part);
  expect(Buffer.concat(parts).length).toBe(contentSize(node.contents));
  return Buffer.concat(parts).toString("latin1");
}

const folder = (name: string, mode = "0000755"): Member => ({ name: `${name}/`, type: "5", mode });
const file = (name: string, data = name): Member => ({ name, data });
const link = (name: string, linkName: string): Member => ({ name, type: "2", linkName });
const hard = (name: string, linkName: string): Member => ({ name, type: "1", linkName });

describe("layers", () => {
  test("a file that is written again has the contents of the upper one", async () => {
    const found = await tree([file("a", "lower"), file("b")], [file("a", "upper")]);
    expect(await text(found, "a")).toBe("upper");
    expect(await text(found, "b")).toBe("b");
  });

  test.each(["none", "gzip", "zstd"] as const)("compressed by %s", async (how) => {
    const data = randomBytes(600_000).toString("latin1");
    const tar = tarOf({ name: "a", data: Buffer.from(data, "latin1") }, file("b"));
    layout.index(layout.image([tar, tarOf(file("c"))], { how }));
    const found = (await read()).tree;
    expect(await text(found, "a")).toBe(data);
    expect(await text(found, "b")).toBe("b");
    // What is not compressed is not copied.
    const work = readdirSync(dir).find((name) => name.startsWith("work-"));
    const copies = readdirSync(`${dir}/${work}`);
    expect(copies.length).toBe(how === "none" ? 0 : 2);
  });

  test.each([
    ["before what stays", [file("d/.wh.gone", ""), file("d/new")]],
    ["behind what stays", [file("d/new"), file("d/.wh.gone", "")]],
  ])("a whiteout %s", async (_, upper) => {
    const found = await tree([folder("d"), file("d/gone"), file("d/kept")], upper);
    expect(paths(found)).toEqual(["d", "d/kept", "d/new"]);
  });

  test("a whiteout takes nothing of its own layer away", async () => {
    const found = await tree([file("a", "lower")], [file("a", "upper"), file(".wh.a", "")]);
    expect(await text(found, "a")).toBe("upper");
  });

  test.each([
    ["before", [file("d/.wh..wh..opq", ""), folder("d"), file("d/new"), file("d/x/new")]],
    ["between", [folder("d"), file("d/new"), file("d/.wh..wh..opq", ""), file("d/x/new")]],
    ["behind", [folder("d"), file("d/new"), file("d/x/new"), file("d/.wh..wh..opq", "")]],
  ])("an opaque folder, said %s its contents", async (_, upper) => {
    const found = await tree([folder("d"), file("d/low"), file("d/x/low"), file("e")], upper);
    expect(paths(found)).toEqual(["d", "d/new", "d/x", "d/x/new", "e"]);
  });

  test("a folder that was removed and made again has nothing of the lower one", async () => {
    const found = await tree([file("d/low")], [file(".wh.d", ""), file("d/new")]);
    expect(paths(found)).toEqual(["d", "d/new"]);
  });

  test("whiteouts of what is not there, or below a file, do nothing", async () => {
    const found = await tree(
      [file("a")],
      [file(".wh.b", ""), file("a/.wh.c", ""), file("x/.wh.y", "")],
    );
    expect(paths(found)).toEqual(["a"]);
  });

  test("an opaque folder in the place of a link empties nothing where the link led", async () => {
    const lower = [file("usr/kept"), link("d", "usr")];
    const found = await tree(lower, [folder("d"), file("d/.wh..wh..opq", ""), file("d/new")]);
    expect(paths(found)).toEqual(["d", "d/new", "usr", "usr/kept"]);
  });

  test("a folder over a folder keeps what is in it and takes the attributes", async () => {
    const found = await tree([folder("d"), file("d/a")], [folder("d", "0001777")]);
    expect(found.get("d")).toMatchObject({ kind: "directory", mode: 0o1777 });
    expect(paths(found)).toEqual(["d", "d/a"]);
  });

  test("anything else over a folder takes all of it away, and back", async () => {
    const lower = [folder("d"), file("d/a")];
    expect(paths(await tree(lower, [file("d")]))).toEqual(["d"]);
    expect(paths(await tree(lower, [link("d", "x")]))).toEqual(["d"]);
    expect(paths(await tree(lower, [link("d", "x")], [folder("d"), file("d/b")]))).toEqual([
      "d",
      "d/b",
    ]);
    expect(paths(await tree(lower, [file("d")], [folder("d"), file("d/b")]))).toEqual(["d", "d/b"]);
  });

  test("a path through a link goes where it leads inside the image", async () => {
    const lower = [folder("usr"), link("lib", "usr"), link("up", "../../.."), link("abs", "/usr")];
    const upper = [
      file("lib/a"),
      file("up/b"),
      file("abs/c"),
      file("up/up/../d".replace("/..", "")),
    ];
    expect(paths(await tree(lower, upper))).toEqual([
      "abs",
      "b",
      "d",
      "lib",
      "up",
      "usr",
      "usr/a",
      "usr/c",
    ]);
  });

  test("a hard link joins a file of a lower layer, and stays when the other name goes", async () => {
    const found = await tree([file("a", "text")], [hard("b", "a")], [file("a", "other")]);
    expect(await text(found, "b")).toBe("text");
    const joined = await tree([file("a", "text")], [hard("b", "./a"), hard("c", "/b")]);
    expect(joined.get("a")).toBe(joined.get("c"));
  });

  test("of two entries of one name in a layer the last is there", async () => {
    const found = await tree([file("a", "1"), folder("a"), file("a/b"), file("a", "2")]);
    expect(paths(found)).toEqual(["a"]);
    expect(await text(found, "a")).toBe("2");
  });

  test("an absolute name begins at the root of the image", async () => {
    const canary = `${dir}/canary`;
    const found = await tree([{ name: "/", type: "5", mode: "0000700" }, file(canary)]);
    expect(found.get(canary.slice(1))).toMatchObject({ kind: "file" });
    expect(found.root.mode).toBe(0o700);
    expect(existsSync(canary)).toBe(false);
  });

  test("names, owners, attributes and sparse contents of pax", async () => {
    const long = `${"n".repeat(90)}/`.repeat(5).slice(0, -1);
    const records = [
      record("path", long),
      record("uid", "4294967294"),
      record("gid", "100000"),
      record("SCHILY.xattr.user.note", "x\0y"),
      record("SCHILY.xattr.user.overlay.opaque", "y"),
      record("SCHILY.xattr.trusted.overlay.redirect", "/etc"),
    ];
    const sparse = [
      record("GNU.sparse.major", "1"),
      record("GNU.sparse.minor", "0"),
      record("GNU.sparse.name", "holes"),
      record("GNU.sparse.realsize", "100000"),
    ];
    const map = Buffer.alloc(512);
    map.write("1\n99997\n3\n");
    const found = await tree([
      pax(...records),
      { name: "short", data: "data", mode: "0006755" },
      pax(...sparse),
      { name: "GNUSparseFile.0/holes", data: Buffer.concat([map, Buffer.from("end")]) },
    ]);
    const node = found.get(long);
    expect(node).toMatchObject({ mode: 0o6755, uid: 4294967294, gid: 100000 });
    expect(node?.xattrs.map(({ name }) => name)).toEqual(["user.note"]);
    expect(await text(found, "holes")).toBe(`${"\0".repeat(99997)}end`);
  });

  test("devices are left out and named, or kept", async () => {
    const device = { name: "dev/null", type: "3" };
    layout.index(
      layout.image([tarOf(file("dev/null")), tarOf(device, { name: "fifo", type: "6" })]),
    );
    const without = await read();
    expect(without.leftOut).toEqual(["dev/null", "fifo"]);
    expect(paths(without.tree)).toEqual(["dev"]);
    const kept = await read(`oci:${dir}/layout`, true);
    expect(kept.tree.get("dev/null")).toMatchObject({ kind: "character-device" });
    expect(kept.tree.get("fifo")).toMatchObject({ kind: "fifo" });
  });

  test("an archive without the zeros behind its last file is whole, as umoci inserts files", async () => {
    const whole = tarOf(file("a", "inserted"));
    layout.index(layout.image([whole.subarray(0, 512 + "inserted".length)]));
    expect(await text((await read()).tree, "a")).toBe("inserted");
    writeFileSync(`${dir}/cut.tar`, whole.subarray(0, 512 + "inserted".length));
    await expect(read(`tar:${dir}/cut.tar`)).rejects.toThrow(/middle of a file/);
  });

  test("what estargz and AUFS add is not part of the image", async () => {
    const notes = [".prefetch.landmark", "stargz.index.json", ".wh..wh.plnk/1.2", ".wh..wh.aufs"];
    expect(
      paths(await tree([...notes.map((name) => file(name)), file("sub/stargz.index.json")])),
    ).toEqual(["sub", "sub/stargz.index.json"]);
  });
});

describe("a hostile layer:", () => {
  const refused = (code: string, words: RegExp) =>
    expect.objectContaining({ code, message: expect.stringMatching(words) });

  test.each<[string, (Member | Buffer)[][], string, RegExp]>([
    ["a name that leads up", [[file("../x")]], "E_LAYER_UNSAFE", /leads out of the image/],
    ["a name that leads up further on", [[file("a/../../x")]], "E_LAYER_UNSAFE", /leads out/],
    ["a whiteout that leads up", [[file("a/.wh...", "")]], "E_LAYER_UNSAFE", /takes away/],
    ["a whiteout of its own folder", [[file("a/.wh..", "")]], "E_LAYER_UNSAFE", /takes away/],
    ["a whiteout of nothing", [[file("a/.wh.", "")]], "E_LAYER_UNSAFE", /takes away/],
    ["something below a whiteout", [[file(".wh.a/b")]], "E_LAYER_UNSAFE", /below a name/],
    ["a hard link that leads up", [[hard("a", "../../etc/passwd")]], "E_LAYER_UNSAFE", /leads out/],
    ["a hard link to the host", [[hard("a", "/etc/passwd")]], "E_LAYER_UNSAFE", /not there/],
    [
      "a hard link through a link to the host",
      [[link("l", "/etc")], [hard("a", "l/passwd")]],
      "E_LAYER_UNSAFE",
      /not there/,
    ],
    ["a hard link to a folder", [[folder("d"), hard("a", "d")]], "E_LAYER_UNSAFE", /a folder/],
    [
      "a hard link to what its layer takes away",
      [[file("a")], [file(".wh.a", ""), hard("b", "a")]],
      "E_LAYER_UNSAFE",
      /not there/,
    ],
    [
      "links in a circle",
      [[link("a", "b"), link("b", "a"), file("a/x")]],
      "E_LAYER_UNSAFE",
      /too many links/,
    ],
    ["a file below a file", [[file("a"), file("a/b")]], "E_LAYER_UNSAFE", /no folder/],
    [
      "an owner of 33 bits",
      [[pax(record("uid", "4294967296")), file("a")]],
      "E_LAYER_CORRUPT",
      /owner/,
    ],
    [
      "a size that lies",
      [[{ ...file("a"), size: 2 ** 32 }]],
      "E_LAYER_CORRUPT",
      /middle of a file/,
    ],
    [
      "a size of 2^60",
      [[pax(record("size", `${2 ** 53 - 1}`)), file("a")]],
      "E_LAYER_CORRUPT",
      /middle of a file/,
    ],
    [
      "a name of 4 GiB",
      [[{ name: "x", type: "L", size: 2 ** 32 }]],
      "E_LAYER_CORRUPT",
      /4294967296 bytes/,
    ],
    ["a header that is none", [[Buffer.alloc(512, 1)]], "E_LAYER_CORRUPT", /checksum|number/],
    [
      "a hole of 8 TiB",
      [
        [
          pax(record("GNU.sparse.size", `${2 ** 43}`), record("GNU.sparse.map", "0,0")),
          { name: "a" },
        ],
      ],
      "E_LAYER_LIMIT",
      /far larger/,
    ],
  ])("%s", async (_, layers, code, words) => {
    await expect(tree(...layers)).rejects.toEqual(refused(code, words));
  });

  test("a bomb of 10 GB ends early", async () => {
    // Members of 64 MiB of zeros each, which gzip makes a thousandth of.
    const zeros = member({ name: "zeros", data: Buffer.alloc(64 << 20) });
    const part = gzipSync(zeros);
    const layer = layout.blob(`${types.layer}+gzip`, Buffer.concat(Array(160).fill(part)));
    const manifest = layout.image([], { layers: [layer], diffIds: [sha256(zeros)] });
    layout.index(manifest);
    await expect(read()).rejects.toEqual(refused("E_LAYER_LIMIT", /far larger/));
  });

  test("a gzip stream that is cut off, under a digest that is right", async () => {
    const tar = tarOf(file("a"));
    const layer = layout.blob(`${types.layer}+gzip`, gzipSync(tar).subarray(0, -12));
    layout.index(layout.image([tar], { layers: [layer] }));
    await expect(read()).rejects.toEqual(refused("E_LAYER_CORRUPT", /damaged or cut off/));
  });

  test("a layer of zstd that is cut off", async () => {
    const tar = tarOf(file("a"));
    const whole = layout.layer(tar, "zstd");
    const bytes = readFileSync(`${layout.dir}/blobs/${whole.digest.replace(":", "/")}`);
    const layer = layout.blob(`${types.layer}+zstd`, bytes.subarray(0, -4));
    layout.index(layout.image([tar], { layers: [layer] }));
    await expect(read()).rejects.toEqual(refused("E_LAYER_CORRUPT", /cut off/));
  });

  /** A layer of these stored bytes. */
  const stored = (tar: Buffer, how: "gzip" | "zstd", ...parts: Buffer[]) =>
    layout.index(
      layout.image([tar], { layers: [layout.blob(`${types.layer}+${how}`, Buffer.concat(parts))] }),
    );

  /** RFC 8878, 3.1.2: what every reader passes over. */
  function skippable(nibble: number, data: string): Buffer {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(0x184d2a50 + nibble, 0);
    head.writeUInt32LE(data.length, 4);
    return Buffer.concat([head, Buffer.from(data)]);
  }

  test("several members of gzip are one layer, with zeros behind them and nothing else", async () => {
    const tar = tarOf(file("a", "x".repeat(5000)), file("b"));
    const members = [0, 700, 701, 4000].map((from, i, all) =>
      gzipSync(tar.subarray(from, all[i + 1])),
    );
    for (const behind of [Buffer.alloc(0), Buffer.alloc(1 << 20)]) {
      stored(tar, "gzip", ...members, behind);
      const found = (await read()).tree;
      expect(paths(found)).toEqual(["a", "b"]);
      expect(await text(found, "a")).toBe("x".repeat(5000));
    }
    for (const behind of [Buffer.from("garbage"), gzipSync("more").subarray(0, -9)]) {
      stored(tar, "gzip", ...members, behind);
      await expect(read()).rejects.toEqual(refused("E_LAYER_CORRUPT", /damaged or cut off/));
    }
  });

  test("several frames of zstd, and those that are passed over", async () => {
    const tar = tarOf(file("a", "x".repeat(5000)), file("b"));
    const frame = (bytes: Buffer) => {
      const { digest } = layout.layer(bytes, "zstd");
      return readFileSync(`${layout.dir}/blobs/${digest.replace(":", "/")}`);
    };
    const frames = [frame(tar.subarray(0, 700)), frame(tar.subarray(700))];
    const [first, second] = frames as [Buffer, Buffer];
    for (const parts of [
      [first, second],
      [skippable(0, "before"), first, skippable(15, ""), second, skippable(7, "table of contents")],
    ]) {
      stored(tar, "zstd", ...parts);
      const found = (await read()).tree;
      expect(paths(found)).toEqual(["a", "b"]);
      expect(await text(found, "a")).toBe("x".repeat(5000));
    }
    stored(tar, "zstd", first, second, Buffer.from("garbage"));
    await expect(read()).rejects.toEqual(refused("E_LAYER_CORRUPT", /zstd stream is damaged/));
    stored(tar, "zstd", first, second, skippable(1, "cut off").subarray(0, -2));
    await expect(read()).rejects.toEqual(refused("E_LAYER_CORRUPT", /cut off/));
  });

  test("bytes behind the archive belong to its digest", async () => {
    const tar = tarOf(file("a"));
    const longer = Buffer.concat([tar, Buffer.from("more")]);
    layout.index(layout.image([longer]));
    expect(paths((await read()).tree)).toEqual(["a"]);
    layout.index(layout.image([longer], { diffIds: [sha256(tar)] }));
    await expect(read()).rejects.toEqual(refused("E_OCI_DIGEST", /uncompressed/));
  });

  test.each(["none", "gzip", "zstd"] as const)("a bit of a layer of %s is another", async (how) => {
    const tar = tarOf(file("a", "x".repeat(5000)));
    const layer = layout.layer(tar, how);
    layout.index(layout.image([tar], { layers: [layer] }));
    const blob = `${layout.dir}/blobs/${layer.digest.replace(":", "/")}`;
    const bytes = readFileSync(blob);
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(blob, bytes);
    await expect(read()).rejects.toEqual(refused("E_OCI_DIGEST", /digest/));
  });

  test("a header with a checksum of its own", async () => {
    const odd = withSum(member({ name: "a", type: "Z" }));
    await expect(tree([odd])).rejects.toEqual(refused("E_LAYER_CORRUPT", /type "Z"/));
  });
});

describe("what leads to layers:", () => {
  const small = () => layout.image([tarOf(file("a"))]);
  const code = (wanted: string) => expect.objectContaining({ code: wanted });

  test("a manifest whose bytes are others", async () => {
    const manifest = small();
    layout.index({ ...manifest, digest: `sha256:${"0".repeat(64)}` });
    await expect(read()).rejects.toEqual(code("E_OCI_INVALID"));
    const blob = `${layout.dir}/blobs/${manifest.digest.replace(":", "/")}`;
    writeFileSync(
      blob,
      readFileSync(blob, "utf8").replace('"schemaVersion":2', '"schemaVersion":3'),
    );
    layout.index(manifest);
    await expect(read()).rejects.toEqual(code("E_OCI_DIGEST"));
  });

  test("sizes that lie", async () => {
    const manifest = small();
    layout.index({ ...manifest, size: manifest.size + 1 });
    await expect(read()).rejects.toEqual(code("E_OCI_SIZE"));
    layout.index({ ...manifest, size: 2 ** 40 });
    await expect(read()).rejects.toEqual(code("E_OCI_LIMIT"));
    layout.index({ ...manifest, size: -1 });
    await expect(read()).rejects.toEqual(code("E_OCI_INVALID"));
    const tar = tarOf(file("a"));
    const layer = layout.layer(tar);
    layout.index(layout.image([tar], { layers: [layer] }));
    truncateSync(`${layout.dir}/blobs/${layer.digest.replace(":", "/")}`, 20);
    await expect(read()).rejects.toEqual(code("E_OCI_SIZE"));
  });

  test("digests that cannot be checked, or that are paths", async () => {
    const manifest = small();
    for (const digest of [
      "md5:d41d8cd98f00b204e9800998ecf8427e",
      "sha256:../../x",
      "sha256:AB",
      7,
    ]) {
      layout.index({ ...manifest, digest: digest as string });
      await expect(read()).rejects.toEqual(code("E_OCI_INVALID"));
    }
  });

  test("a huge manifest, and one that is no JSON", async () => {
    layout.index(layout.blob(types.manifest, Buffer.alloc((4 << 20) + 1, " ")));
    await expect(read()).rejects.toEqual(code("E_OCI_LIMIT"));
    layout.index(layout.blob(types.manifest, Buffer.from("{")));
    await expect(read()).rejects.toEqual(code("E_OCI_INVALID"));
    layout.index(layout.blob(types.manifest, Buffer.from([0x22, 0xff, 0x22])));
    await expect(read()).rejects.toEqual(code("E_OCI_INVALID"));
  });

  test("indexes, nested up to a depth", async () => {
    let inner = small();
    for (let i = 0; i < 4; i++) {
      inner = layout.blob(types.index, { mediaType: types.index, manifests: [inner] });
    }
    layout.index(inner);
    expect(paths((await read()).tree)).toEqual(["a"]);
    layout.index(layout.blob(types.index, { mediaType: types.index, manifests: [inner] }));
    await expect(read()).rejects.toEqual(code("E_OCI_INDEX"));
  });

  test("the image of an index that is for the machine", async () => {
    const other = {
      ...layout.image([tarOf(file("arm"))]),
      platform: { os: "linux", architecture: "arm64" },
    };
    const proof = {
      ...layout.image([tarOf(file("proof"))]),
      platform: { os: "unknown", architecture: "unknown" },
      annotations: { "vnd.docker.reference.type": "attestation-manifest" },
    };
    const v3 = {
      ...layout.image([tarOf(file("v3"))]),
      platform: { os: "linux", architecture: "amd64", variant: "v3" },
    };
    const own = { ...small(), platform: { os: "linux", architecture: "amd64" } };
    const index = (...manifests: object[]) => layout.index(layout.blob(types.index, { manifests }));
    index(proof, other, v3, own);
    expect(paths((await read()).tree)).toEqual(["a"]);
    index(proof, other);
    await expect(read()).rejects.toEqual(
      expect.objectContaining({
        code: "E_OCI_INDEX",
        expected: "linux/amd64",
        actual: "linux/arm64",
      }),
    );
    layout.index(layout.image([tarOf(file("a"))], { platform: { architecture: "arm64" } }));
    await expect(read()).rejects.toEqual(code("E_OCI_INDEX"));
  });

  test("what is an index and a manifest at once is neither", async () => {
    const tar = tarOf(file("a"));
    const both = { manifests: [small()], layers: [layout.layer(tar)] };
    for (const mediaType of [types.index, types.manifest, undefined]) {
      layout.index({ ...layout.blob("", { mediaType, ...both }) });
      await expect(read()).rejects.toEqual(code("E_OCI_INVALID"));
    }
  });

  test("schema 1, artifacts, and layers of other kinds", async () => {
    layout.index(layout.blob("", { schemaVersion: 1, fsLayers: [] }));
    await expect(read()).rejects.toEqual(code("E_OCI_UNSUPPORTED"));
    const empty = layout.blob("application/vnd.oci.empty.v1+json", {});
    const artifact = { config: empty, layers: [empty], artifactType: "application/vnd.x" };
    layout.index(layout.blob(types.manifest, artifact));
    await expect(read()).rejects.toEqual(
      expect.objectContaining({ code: "E_OCI_ARTIFACT", actual: "application/vnd.x" }),
    );
    const tar = tarOf(file("a"));
    const layers = [layout.blob("application/vnd.x.layer", tar)];
    layout.index(layout.image([tar], { layers }));
    await expect(read()).rejects.toEqual(code("E_OCI_UNSUPPORTED"));
  });

  test("one digest for each layer", async () => {
    layout.index(layout.image([tarOf(file("a"))], { diffIds: [] }));
    await expect(read()).rejects.toEqual(code("E_OCI_INVALID"));
  });

  test("names of a layout", async () => {
    layout.index(named(small(), "one"), named(layout.image([tarOf(file("b"))]), "two"));
    expect(paths((await read(`oci:${dir}/layout:two`)).tree)).toEqual(["b"]);
    await expect(read()).rejects.toEqual(
      expect.objectContaining({ code: "E_OCI_TAG", expected: "one, two" }),
    );
    await expect(read(`oci:${dir}/layout:three`)).rejects.toEqual(code("E_OCI_TAG"));
    await expect(read(`oci:${dir}`)).rejects.toEqual(code("E_OCI_INVALID"));
    await expect(read(`oci:${dir}/none`)).rejects.toEqual(code("E_INPUT_MISSING"));
  });
});
