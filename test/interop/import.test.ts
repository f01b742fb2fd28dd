/** Hard images, as `umoci unpack` and a build of ours see them, and after skopeo has copied them. */
import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect } from "vitest";
import { build } from "../../builder/api/build.ts";
import { dump, dumpLine } from "../../builder/api/dump.ts";
import { skipUnless } from "../support/needs.ts";
import { Layout, named } from "../support/oci.ts";
import { type Member, pax, record, tarOf } from "../support/tar.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const folder = (name: string, mode = "0000755"): Member => ({ name: `${name}/`, type: "5", mode });
const file = (name: string, data = name): Member => ({ name, data });
const link = (name: string, linkName: string): Member => ({ name, type: "2", linkName });
const hard = (name: string, linkName: string): Member => ({ name, type: "1", linkName });

/** What a start mounts on, which a build adds. */
const places = [
  ...["dev", "proc", "run", "sys", "etc"].map((name) => folder(name)),
  folder("tmp", "0001777"),
  ...["hosts", "hostname", "resolv.conf"].map((name) => file(`etc/${name}`, "")),
];

const long = `${"n".repeat(90)}/`.repeat(20).slice(0, -1);

function sparse(name: string, size: number): (Member | Buffer)[] {
  const map = Buffer.alloc(512);
  map.write(`2\n4096\n5\n${size - 3}\n3\n`);
  return [
    pax(
      record("GNU.sparse.major", "1"),
      record("GNU.sparse.minor", "0"),
      record("GNU.sparse.name", name),
      record("GNU.sparse.realsize", `${size}`),
    ),
    { name: `GNUSparseFile.0/${name}`, data: Buffer.concat([map, Buffer.from("firstend")]) },
  ];
}

/** Format 0.1, with the map in pax. */
function sparseInPax(name: string, size: number): (Member | Buffer)[] {
  return [
    pax(
      record("GNU.sparse.size", `${size}`),
      record("GNU.sparse.numblocks", "2"),
      record("GNU.sparse.map", `4096,5,${size - 3},3`),
      record("GNU.sparse.name", name),
    ),
    { name: `GNUSparseFile.0/${name}`, data: "firstend" },
  ];
}

const images: Record<string, (Member | Buffer)[][]> = {
  "hard links across layers": [
    [folder("a"), file("a/one"), hard("a/two", "a/one")],
    [hard("b", "a/two"), folder("c"), hard("c/three", "a/one")],
    [{ name: "a/.wh.one" }, hard("d", "b")],
  ],
  "whiteouts of files, folders and links": [
    [folder("a"), folder("a/b"), file("a/b/c"), file("a/d"), link("l", "a"), file("keep")],
    [{ name: "a/.wh.b" }, { name: ".wh.l" }, { name: ".wh.never" }],
    [folder("a/b"), file("a/b/new")],
  ],
  "opaque folders": [
    [folder("a", "0000700"), file("a/x"), folder("a/sub"), file("a/sub/y"), file("z")],
    [folder("a", "0000711"), file("a/new"), { name: "a/.wh..wh..opq" }],
  ],
  "links over folders and back": [
    [folder("usr"), folder("usr/lib"), file("usr/lib/x"), folder("lib"), file("lib/gone")],
    [{ name: ".wh.lib" }, link("lib", "usr/lib")],
    [file("lib/through"), link("loop", "loop"), link("broken", "not/there")],
    [{ name: ".wh.loop" }, folder("loop"), file("loop/file")],
  ],
  "names that need pax": [
    [
      pax(record("path", `${long}/`)),
      folder("short"),
      pax(record("path", `${long}/file`)),
      file("short"),
      pax(record("linkpath", `/${long}/file`)),
      link("to-long", "x"),
      pax(record("path", "ümläut \u00e9")),
      file("x"),
    ],
    [pax(record("path", `${long}/.wh.file`)), file("y", "")],
  ],
  "owners, set-id bits, attributes and times": [
    [
      pax(record("uid", "100000"), record("gid", "4000000"), record("mtime", "1234567890.5")),
      { name: "big-owner", data: "x" },
      { name: "set-id", data: "x", mode: "0006755" },
      { name: "sticky/", type: "5", mode: "0001777" },
      pax(record("SCHILY.xattr.user.note", "one=two"), record("SCHILY.xattr.user.z", "\u0001")),
      file("attributes"),
    ],
    [pax(record("SCHILY.xattr.user.other", "new")), file("attributes", "again")],
  ],
  holes: [sparse("holes", 20_000_000), sparseInPax("older", 9_000_000)],
  "whiteouts of folders that become files, and back": [
    [folder("a"), folder("a/b"), file("a/b/c"), folder("d"), file("d/e"), file("f")],
    [{ name: ".wh.a" }, file("a", "a file"), { name: ".wh.f" }, folder("f"), file("f/g")],
    [{ name: ".wh.a" }, folder("a"), folder("a/b"), { name: "d/.wh..wh..opq" }, folder("d")],
  ],
  "an opaque folder with folders of its own, hard links out of it": [
    [folder("a"), folder("a/sub"), file("a/sub/x"), file("a/y"), hard("kept", "a/sub/x")],
    [{ name: "a/.wh..wh..opq" }, folder("a"), folder("a/sub"), file("a/sub/z"), hard("w", "kept")],
    [hard("a/again", "w"), { name: ".wh.kept" }],
  ],
  "names of GNU's, and owners and times that octal digits cannot say": [
    [
      { name: "././@LongLink", type: "L", data: `${long}/\0` },
      folder("short"),
      { name: "././@LongLink", type: "L", data: `${long}/file\0` },
      file("short"),
      { name: "././@LongLink", type: "K", data: `${long}/file\0` },
      link("to-long", "x"),
      pax(record("uid", "65534"), record("gid", "65534")),
      file("nobody"),
      pax(record("uid", "4294967294"), record("gid", "2097152")),
      file("largest"),
      pax(record("mtime", "-86400")),
      file("before-1970"),
      pax(record("mtime", "1700000000.123456789")),
      file("nanoseconds"),
    ],
  ],
};

describe.each(Object.entries(images))("an image with %s", (_, layers) => {
  let dir: string;
  beforeAll(() => {
    dir = temporaryDirectory();
    const layout = new Layout(`${dir}/image`);
    const tars = layers.map((members, i) => tarOf(...(i === 0 ? places : []), ...members));
    layout.index(named(layout.image(tars), "1"));
  });

  const output = (command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd: dir, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

  async function lines(input: string): Promise<string[]> {
    const found: string[] = [];
    await dump({ input: `${dir}/${input}` }, (one) => void found.push(dumpLine(one)));
    // Of folders both have what the last layer says, and umoci the time at which it took something out of one.
    const inFolders = found.map((line) => line.replace(/ dir (\S+ \S+) - \d+/, " dir $1"));
    // squashfs has no time before 1970.
    return inFolders.map((line) => line.replace(/^(\S+ file \S+ \S+ \d+) -\d+ /, "$1 0 "));
  }

  const test = skipUnless("root", "umoci", "skopeo", "xattrs");
  test("has the files that umoci makes of it", async () => {
    output("umoci", "unpack", "--image", "image:1", "unpacked");
    const theirs = await lines("unpacked/rootfs");
    expect(theirs.length).toBeGreaterThan(places.length);
    await build({ input: `oci:${dir}/image:1`, output: `${dir}/image.run` });
    expect(await lines("image.run")).toEqual(theirs);
    for (const [i, to] of ["docker-archive:saved.tar:x/y:1", "oci-archive:saved.oci:1"].entries()) {
      output("skopeo", "copy", "oci:image:1", to);
      const input = to.replace("archive:", `archive:${dir}/`);
      await build({ input, output: `${dir}/copy-${i}.run` });
      expect(await lines(`copy-${i}.run`)).toEqual(theirs);
    }
    output(
      "skopeo",
      "copy",
      "--dest-compress-format=zstd",
      "--dest-compress",
      "oci:image:1",
      "dir:plain",
    );
    output("skopeo", "copy", "dir:plain", "oci:zstd:1");
    await build({ input: `oci:${dir}/zstd:1`, output: `${dir}/zstd.run` });
    expect(await lines("zstd.run")).toEqual(theirs);
  });
});
