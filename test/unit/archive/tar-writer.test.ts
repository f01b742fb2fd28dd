import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { tarArchive } from "../../../builder/archive/tar-writer.ts";
import type { DumpEntry } from "../../../builder/dump/dump-entry.ts";
import { ByteStream } from "../../../builder/input/tar/byte-stream.ts";
import { tarEntries } from "../../../builder/input/tar/tar-reader.ts";
import { skipUnless } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const entry = (path: string, more: Partial<DumpEntry> = {}): DumpEntry => ({
  path,
  kind: "directory",
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: 1,
  xattrs: [],
  inode: Symbol(path),
  ...more,
});

const file = (path: string, text: string, more: Partial<DumpEntry> = {}): DumpEntry =>
  entry(path, {
    kind: "file",
    mode: 0o644,
    file: {
      size: text.length,
      async *read() {
        yield Buffer.from(text, "latin1");
      },
    },
    ...more,
  });

async function archiveOf(entries: DumpEntry[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of tarArchive(entries)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

async function* once(bytes: Buffer) {
  yield bytes;
}

const long = `d/${"n".repeat(255)}`;
const inode = Symbol("one inode");
const odd: DumpEntry[] = [
  entry("", { mode: 0o750 }),
  entry("d"),
  file(long, "long", { mode: 0o4755 }),
  file("d/\xff\xfe", "no UTF-8"),
  file("hundred".padEnd(100, "d"), "exactly as long as the field"),
  file("a", "first", { inode }),
  entry("big", {
    kind: "file",
    uid: 4_000_000_000,
    gid: 2_097_152,
    file: file("", "x").file,
    mtime: 4_294_967_295,
  } as Partial<DumpEntry>),
  entry("link", { kind: "symlink", mode: 0o777, target: "x".repeat(4000) }),
  file("z", "first", { inode }),
  entry("null", { kind: "character-device", device: { major: 4095, minor: 1_048_575 } }),
  entry("disk", { kind: "block-device", device: { major: 7, minor: 3 } }),
  entry("pipe", { kind: "fifo" }),
  file("attributed", "", {
    xattrs: [
      { name: "user.z", value: Buffer.from("line\n\0end") },
      { name: "security.capability", value: Buffer.alloc(200, 1) },
    ],
  }),
];

test("what is written is read again", async () => {
  const bytes = await archiveOf(odd);
  const read: Record<string, unknown>[] = [];
  for await (const one of tarEntries(new ByteStream(once(bytes)))) {
    const { name, kind, mode, uid, gid, mtime, size, linkName, major, minor, xattrs } = one;
    read.push({ name, kind, mode, uid, gid, mtime, size, linkName, major, minor, xattrs });
  }
  const expected = odd.map((one) => {
    const isLater = one.path === "z";
    return {
      name: one.kind === "directory" ? `${one.path === "" ? "." : one.path}/` : one.path,
      kind: isLater ? "hard-link" : one.kind,
      mode: one.mode,
      uid: one.uid,
      gid: one.gid,
      mtime: one.mtime,
      size: isLater ? 0 : (one.file?.size ?? 0),
      linkName: isLater ? "a" : (one.target ?? ""),
      major: one.device?.major ?? 0,
      minor: one.device?.minor ?? 0,
      xattrs: [...one.xattrs].sort((a, b) => (a.name < b.name ? -1 : 1)),
    };
  });
  expect(read).toEqual(expected);
  expect(bytes.length % 512).toBe(0);
});

test("an archive does not depend on when it is made", async () => {
  expect(await archiveOf(odd)).toEqual(await archiveOf(odd));
});

test("a socket is left out", async () => {
  const bytes = await archiveOf([entry("s", { kind: "socket" })]);
  expect(bytes).toEqual(Buffer.alloc(1024));
});

test("a file that becomes shorter is noticed", async () => {
  const broken = file("f", "four");
  const short = {
    ...broken,
    file: { size: 5, read: broken.file?.read ?? (() => once(Buffer.of())) },
  };
  await expect(archiveOf([short])).rejects.toMatchObject({ code: "E_FILE_CHANGED" });
});

test("an attribute that no record can name is refused", async () => {
  const named = file("f", "", { xattrs: [{ name: "user.a=b", value: Buffer.of() }] });
  await expect(archiveOf([named])).rejects.toMatchObject({ code: "E_PATH_INVALID" });
});

skipUnless("bsdtar")("GNU tar and bsdtar list the same names", async () => {
  const dir = temporaryDirectory();
  mkdirSync(`${dir}/out`);
  writeFileSync(`${dir}/a.tar`, await archiveOf(odd));
  const env = { ...process.env, LC_ALL: "C.UTF-8" };
  const [gnu, bsd] = ["tar", "bsdtar"].map((command) =>
    execFileSync(command, ["-tf", `${dir}/a.tar`], { env, stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      .split("\n"),
  );
  expect(gnu).toHaveLength(odd.length + 1);
  expect(gnu).toContain(long);
  expect(bsd).toContain(long);
  expect(bsd).toHaveLength(odd.length + 1);
});
