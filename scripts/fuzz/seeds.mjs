// Where the targets begin: inputs made by the project's own writers and by small recipes, so that
// no file of them is kept.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { crc32 } from "node:zlib";
import { builtPackage } from "../build/dist.mjs";
import { bytes, number, struct } from "./bytes.mjs";
import { zip64, zipOfWindows, zipWithDescriptor } from "./zips.mjs";

/** @typedef {import("./bytes.mjs").Bytes} Bytes */

/**
 * A small ELF file of either class with a segment and the sections given, contents by name.
 *
 * @param {{wide?: boolean, sections?: Record<string, Buffer>, segment?: number}} wanted
 */
function elf({ wide = true, sections = {}, segment = 64 }) {
  const word = wide ? 8 : 4;
  const header = wide ? 64 : 52;
  const names = bytes("\0", ...Object.keys(sections).map((name) => `${name}\0`), ".shstrtab\0");
  const all = Object.entries({ ...sections, ".shstrtab": names });
  const programHeader = wide ? 56 : 32;
  let at = header + programHeader;
  const tables = [Buffer.alloc(wide ? 64 : 40)];
  for (const [name, contents] of all) {
    const place = names.indexOf(`\0${name}\0`) + 1;
    tables.push(
      struct(
        [place, 4],
        [name === ".shstrtab" ? 3 : 1, 4],
        ...[0, 0, at, contents.length].map((value) => [value, word]),
        [0, 4],
        [0, 4],
        [1, word],
        [0, word],
      ),
    );
    at += contents.length;
  }
  const load = wide
    ? struct([1, 4], [5, 4], [0, 8], [0, 8], [0, 8], [segment, 8], [segment, 8], [4096, 8])
    : struct([1, 4], [0, 4], [0, 4], [0, 4], [segment, 4], [segment, 4], [5, 4], [4096, 4]);
  return bytes(
    [0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    struct(
      [2, 2],
      [wide ? 62 : 3, 2],
      [1, 4],
      [0, word],
      [header, word],
      [at, word],
      [0, 4],
      [header, 2],
      [programHeader, 2],
      [1, 2],
      [wide ? 64 : 40, 2],
      [all.length + 1, 2],
      [all.length, 2],
    ),
    load,
    ...all.map(([, contents]) => contents),
    ...tables,
  );
}

/** The contents of a section of a 64-bit ELF file. */
function sectionOf(/** @type {Buffer} */ file, /** @type {string} */ wanted) {
  const table = Number(file.readBigUInt64LE(40));
  const section = (/** @type {number} */ index) => {
    const at = table + index * file.readUInt16LE(58);
    const offset = Number(file.readBigUInt64LE(at + 24));
    return {
      name: file.readUInt32LE(at),
      contents: file.subarray(offset, offset + Number(file.readBigUInt64LE(at + 32))),
    };
  };
  const names = section(file.readUInt16LE(62)).contents.toString("latin1");
  for (let i = 0; i < file.readUInt16LE(60); i++) {
    const { name, contents } = section(i);
    if (names.slice(name, names.indexOf("\0", name)) === wanted) return Buffer.from(contents);
  }
  throw new Error(`no section ${wanted}`);
}

/** A tree with something of each kind, small enough for an image that is changed all over. */
function makeTree(/** @type {string} */ dir) {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(path.join(dir, "a/b/c"), { recursive: true });
  mkdirSync(path.join(dir, "many"));
  // Two metadata blocks of names: a directory with an index.
  for (let i = 0; i < 110; i++) {
    writeFileSync(path.join(dir, `many/${"name".repeat(20)}${i}`), i % 9 ? "" : `file ${i}\n`);
  }
  writeFileSync(path.join(dir, "a/text"), "line of text\n".repeat(1500));
  writeFileSync(path.join(dir, "a/b/c/small"), "small\n");
  writeFileSync(path.join(dir, "run"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
  writeFileSync(path.join(dir, "empty"), "");
  symlinkSync("../a/text", path.join(dir, "a/link"));
  symlinkSync("/a/b", path.join(dir, "absolute"));
  execFileSync("sh", ["-c", "ln a/text a/hard; truncate -s 70000 a/hole; mkfifo a/fifo"], {
    cwd: dir,
  });
  // Where the file system has none, the seeds are without them.
  execFileSync("sh", ["-c", "setfattr -n user.key -v value run a 2>/dev/null || true"], {
    cwd: dir,
  });
}

/** Images by mksquashfs, each with other tables and codecs. @returns their paths */
function otherImages(/** @type {string} */ tree, /** @type {string} */ dir) {
  const kinds = {
    "stored.sfs": ["-noI", "-noD", "-noF", "-noX", "-b", "4K"],
    "gzip.sfs": ["-comp", "gzip", "-b", "8K"],
    "xz-stored-tables.sfs": ["-comp", "xz", "-noI", "-noX", "-no-fragments"],
    "no-exports.sfs": ["-comp", "lz4", "-noI", "-noX", "-no-exports", "-b", "4K"],
  };
  return Object.entries(kinds).map(([name, options]) => {
    const image = path.join(dir, name);
    const args = ["-noappend", "-quiet", "-no-progress", ...options];
    execFileSync("mksquashfs", [tree, image, ...args], { stdio: "ignore" });
    return image;
  });
}

/** A request: index of its opcode, node, body. @typedef {[number, number, Bytes?]} Request */

/**
 * What test/fuzz/targets/fuse.c takes: an image, then requests.
 *
 * @param {number} image
 * @param {Request[]} list
 */
function requests(image, ...list) {
  const one = (/** @type {Request} */ [opcode, node, body = ""]) =>
    bytes([opcode, node], number(bytes(body).length, 2), body);
  return bytes([image], ...list.map(one));
}

const [LOOKUP, GETATTR, READLINK, , READ, STATFS, , GETXATTR, LISTXATTR, , READDIR, READDIRPLUS] =
  Array.from({ length: 12 }, (_, index) => index);
const INIT = 13;
const readIn = (/** @type {number} */ offset, /** @type {number} */ size) =>
  struct([0, 8], [offset, 8], [size, 4], [0, 4], [0, 8], [0, 8]);

function fuseSequences() {
  /** @type {Request} */
  const init = [
    INIT,
    0,
    struct([7, 4], [45, 4], [131072, 4], [-1, 4], [-1, 4], ...Array(11).fill([0, 4])),
  ];
  /** @type {Request} */
  const list = [READDIRPLUS, 0, readIn(0, 65536)];
  const some = Array.from({ length: 8 }, (_, node) => node);
  /** @type {Request[]} */
  const walk = some.flatMap((node) => [
    [GETATTR, node],
    [READDIRPLUS, node, readIn(0, 4096)],
    [READ, node, readIn(0, 131072)],
    [READLINK, node],
    [LISTXATTR, node, struct([0, 4], [0, 4])],
    [GETXATTR, node, bytes(struct([256, 4], [0, 4]), "user.key\0")],
  ]);
  /** @type {Request[]} */
  const handles = some.flatMap((node) => [
    [LOOKUP, node, ".\0"],
    [LOOKUP, node, "..\0"],
  ]);
  /** @type {Request[]} */
  const offsets = [1, 2, 3, 515, 1025, 2 ** 20, -1].map((at) => [READDIR, 0, readIn(at, 4096)]);
  /** @type {Request[]} */
  const paths = ["a\0", "many\0", "nothing\0"].map((name) => [LOOKUP, 0, name]);
  /** @type {Request[]} */
  const inOrder = Array.from({ length: 6 }, (_, i) => [READ, 3, readIn(i * 4096, 4096)]);
  return [0, 1, 2, 3, 4].flatMap((image) => [
    requests(image, init, list, [STATFS, 0], ...walk),
    requests(image, ...paths, list, ...handles, ...inOrder),
    requests(image, list, ...offsets, ...paths, [READDIR, 2, readIn(0, 900)]),
    bytes([image | 128, 1, 100, 0, 0, 255], requests(image, init, list, ...walk).subarray(1)),
  ]);
}

const lines = (/** @type {number} */ which, /** @type {string[][]} */ ...list) =>
  list.map((args) => bytes([which], ...args.map((arg) => `${arg}\0`)));

function commandLines() {
  const appimage = ["help", "offset", "portable-home", "portable-config", "signature"];
  const more = ["updateinfo", "updateinformation", "version", "mount", "extract-and-run"];
  return [
    ...lines(0, ...[...appimage, ...more].map((name) => [`--appimage-${name}`])),
    ...lines(0, ["--appimage-extract", "usr/*", "a/[a-z]*/b", "[!\\]-]?", "*".repeat(40)]),
    ...lines(1, ...["help", "info", "offset"].map((name) => [`--bundle-${name}`])),
    ...lines(1, ["--bundle-extract", "out"], ["--bundle-help", "x"]),
    ...lines(
      2,
      ["--static", "name:file.zip", "--dynamic=/run/fuselage/x:f.sfs", "--run", "bin/app", "-x"],
      ["-sfile", "-d=other.b64", "--dynamic-empty", "data", "--cache-static", "--", "sh", "-c"],
      ["--mount=f", "-ocache=1M,uid=0", "--foreground", "dir"],
      ["--static=a:/proc/self/exe", "--bind=a/lib=!/opt/a", "--bind", "a=?/opt/b", "true"],
      ["--mount-type", "extract", "--map-root-user", "--doctor=json", "--static=/proc/self/exe"],
      ["--mount-fd=f", "--options", "exec"],
      ["--help"],
    ),
    ...lines(3, ["cache=64M"], ["cache=17179869185G", "1"], ["uid=1,gid=4294967294,allow_other"]),
    ...lines(3, ["ro,nosuid,nodev,noexec,exec,cache=1T"]),
  ];
}

/** The name of a bundle, then a file of sandbox.d. */
function policies() {
  return [
    "app\n# all\n* = strict\nname app = off\nname a?p = deny:net,fs:home\n",
    `app\nsha256 ${"0".repeat(64)} = on\nfile /usr/bin/app = fs:/srv:ro,net:connect:443\n`,
    "a\nname [a-z]* = on,deny:ipc:dbus:org.a.B # rest\n\tname\tb = off \r\n",
  ].map((text) => Buffer.from(text));
}

/** How rules are given, then rules: as records of a manifest, by words, and what is taken away. */
function permissions() {
  const records = [
    "fs cwd rw\0fs /srv/a b ro\0net connect 443\0net listen 0\0net udp\0devices gpu",
    "ipc dbus org.a.B\0ipc dbus org.c.*\0exec own\0pid\0netns\0ipcns\0debug\0userns",
    "net all\0devices none\0exec host\0fs home ro\0fs home rw\0ipc x11\0ipc wayland",
  ];
  const words = [
    "on",
    "off",
    "strict,deny:net,fs:home,devices:audio",
    "fs:/srv:a:ro,fs:downloads:rw,net:connect:65535,net:listen:80",
    "on,deny:fs:/srv,net:listen:80,ipc:dbus:org.a.B,exec",
  ];
  return [
    ...records.map((text) => bytes([0], text)),
    ...words.map((text) => bytes([1], text)),
    ...records.flatMap((text) => words.map((word) => bytes([2], text, "\0\0", word))),
  ];
}

/** Records of a machine. */
function runFiles() {
  return [
    "version=1\0transport=virtio\0end=reset\0arg=\0arg=a=b\0env=K=V\0run=--root=x\0cwd=/tmp\0",
    "version=1\0tty=33 101\0root=yes\0time=1700000000.5\0hostname=machine\0nameserver=10.0.2.3\0",
    `version=1\0seed=${"5a".repeat(32)}\0address=10.0.2.15/24\0gateway=10.0.2.2\0`,
    "version=1\0transport=console\0end=poweroff\0volume=9p volume0 ro /srv/a b\0",
  ].map((text) => Buffer.from(text));
}

/** The size of pieces, then lines of the host's. */
function hostLines() {
  return [
    "E 10\nC out\nC err\nS 15\nS 64\nW 40 120\nB\n",
    `T 1700000000.5\nR ${"5a".repeat(32)}\nT 1\nR ${"0f".repeat(64)}\n`,
    `${"x".repeat(1023)}S 9\nS 2\n${"y".repeat(1022)}\nS 3\n${"z".repeat(1023)}\nS 4\n`,
    "S 0\nS 65\nS 4294967305\nS -1\nS 9\0\nW 65536 1\nE 18446744073709551615\n",
    `R ${"zz".repeat(32)}\nR ${"5".repeat(63)}\nT -1\nT 1.1000000000\nT 99999999999999999999\n`,
  ].flatMap((text) => [0, 1, 4, 127].map((size) => bytes([size], text)));
}

/** Lists, and files of learned ones. */
function startLists() {
  const list = bytes([1, 10, 0, 32, 0, 16, 1, 0, 75, 2, 5, 14, 128, 1]);
  return [
    list,
    bytes([1, 10, 0], Array(7).fill(255), [15, 0, 0, 1]),
    bytes([1], ...Array.from({ length: 200 }, (_, i) => [i % 7, i % 5, 1 + (i % 3)])),
    bytes("fuselrn1", number(list.length, 4), number(crc32(list), 4), list),
  ];
}

/**
 * @param {string} tree
 * @param {string} scratch
 * @param {Awaited<ReturnType<typeof builtPackage>>} api
 */
async function manifests(tree, scratch, { build, assembleBundle }) {
  const output = path.join(scratch, "bundle");
  const image = path.join(scratch, "images/stored.sfs");
  /** @type {import("../../builder/index.ts").BuildOptions} */
  const common = { input: tree, entry: "run", output, compression: "none", devices: true };
  const made = [];
  for (const options of [
    {},
    { args: ["a", "${FUSELAGE_BUNDLE_DIR}"], env: ["K=V", "L="], unsetEnv: ["M"] },
    { envDefault: ["D=V"], envPrepend: ["P=V", "Q,=V"], envAppend: ["A =V"] },
    { writable: true, mountAt: "/run/fuselage/app", runtimeOptions: false },
    { maps: [".=?!/opt/app"] },
  ]) {
    await build({ ...common, ...options });
    made.push(sectionOf(readFileSync(output), ".fuselage"));
  }
  await assembleBundle({
    output,
    archive: image,
    invocation: ["--static", "app:/proc/self/exe", "--run", "run"],
  });
  made.push(sectionOf(readFileSync(output), ".fuselage"));
  return made;
}

/** What the seeds follow from: these recipes, and the build of what they are made by. */
function state() {
  const stamps = ["dist", "runtime", "native"].map((name) => `../../build/stamps/${name}`);
  return ["seeds.mjs", ...stamps]
    .map((name) => readFileSync(path.join(import.meta.dirname, name), "utf8"))
    .join("\n");
}

/**
 * Makes the seeds of every target, when they are not there already.
 *
 * @param {string} dir a folder for each target, and `images` for those that need some
 */
export async function makeSeeds(dir) {
  const made = path.join(dir, "made-of");
  if (existsSync(made) && readFileSync(made, "utf8") === state()) return;
  const api = await builtPackage();
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(path.join(dir, "images"), { recursive: true });
  const tree = path.join(dir, "tree");
  makeTree(tree);
  const images = otherImages(tree, path.join(dir, "images"));
  const packed = async (
    /** @type {string} */ name,
    /** @type {Partial<import("../../builder/index.ts").PackOptions>} */ options = {},
    /** @type {string[]} */ exclude = [],
  ) => {
    const output = path.join(dir, name);
    await api.pack({ input: tree, output, exclude: ["a/fifo", ...exclude], ...options });
    return readFileSync(output);
  };
  const large = ["many", "a/hole", "a/hard"];
  const zips = [
    await packed("deflated.zip", {}, large),
    await packed("stored.zip", { compression: "none" }, large),
  ];
  await packed("images/ours.sfs", { blockSize: 4096 });
  const text = await packed("text.b64", { shebang: "/usr/bin/env -S fuselage --static" });
  const own = await manifests(tree, dir, api);
  const sections = { ".fuselage": own[1], ".upd_info": Buffer.from("zsync|x") };
  const seeds = {
    elf: [
      elf({ sections }),
      elf({ wide: false, sections }),
      elf({ segment: 5000 }),
      bytes(elf({ sections }), "hsqs"),
    ],
    manifest: own,
    squashfs: [...images, path.join(dir, "images/ours.sfs")].map((file) => readFileSync(file)),
    zip: [...zips, zip64(zips[0]), bytes("leading", zips[1]), zipWithDescriptor(), zipOfWindows()],
    base64: [
      text,
      "#!x\n# comment\nQUJD RA==\n",
      "QUJ\nDRA=\t=",
      "====",
      "QQ=a",
      Buffer.from("\uFEFF  # words\n  QUJD\r\n"),
    ],
    fuse: fuseSequences(),
    // Two handed with a word, one too many, none, and a word that is too long.
    holder: [
      bytes([1, 2, 1], "e"),
      bytes([0, 2, 1], "p", [3, 8, 1], "x"),
      bytes([0, 1, 1], "t"),
      bytes([2, 0, 1, 0, 2, 3, 4], "fuse"),
    ],
    options: commandLines(),
    policy: policies(),
    relay: hostLines(),
    rules: permissions(),
    run_file: runFiles(),
    start_list: startLists(),
  };
  for (const [name, list] of Object.entries(seeds)) {
    mkdirSync(path.join(dir, name));
    for (const [index, seed] of list.entries()) {
      writeFileSync(path.join(dir, name, `${index}`), seed);
    }
  }
  writeFileSync(made, state());
}
