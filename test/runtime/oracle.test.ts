/**
 * Images that mksquashfs made, seen through every strategy, as root and as an ordinary user, are
 * the folder they were made from: content, mode, owner, time, attributes, links.
 */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { bundleOf, mksquashfs, printed, publicDumper, runArguments } from "../support/bundle-of.ts";
import { everyType } from "../support/every-type.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, isRoot, ordinaryUser, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const images: [string, string[]][] = [
  ["gzip, 128 KiB blocks", ["-comp", "gzip"]],
  ["gzip, 4 KiB blocks", ["-comp", "gzip", "-b", "4K"]],
  ["xz, 1 MiB blocks", ["-comp", "xz", "-b", "1M"]],
  ["xz with the x86 filter", ["-comp", "xz", "-Xbcj", "x86"]],
  ["lz4, 4 KiB blocks", ["-comp", "lz4", "-b", "4K"]],
  ["lz4 -Xhc, 128 KiB blocks", ["-comp", "lz4", "-Xhc"]],
  ["zstd, 128 KiB blocks", ["-comp", "zstd"]],
  ["zstd, 4 KiB blocks", ["-comp", "zstd", "-b", "4K"]],
  ["zstd, 1 MiB blocks", ["-comp", "zstd", "-b", "1M"]],
  ["no fragments, no export, no duplicates", ["-no-fragments", "-no-exports", "-no-duplicates"]],
  ["always fragments", ["-always-use-fragments"]],
  ["nothing compressed", ["-noI", "-noD", "-noF", "-noX"]],
  ["no sparse blocks", ["-no-sparse"]],
];

const lines = (dump: string, keep: (line: string) => boolean) =>
  dump.split("\n").filter(keep).join("\n");
/** A start never makes device nodes. */
const withoutDevices = (dump: string) => lines(dump, (line) => !/"type":"(block|char)"/.test(line));
/** Nor does it, when it extracts, make programs set-id, or give files away. */
const withoutRights = (dump: string) =>
  withoutDevices(withoutTrusted(dump)).replace(
    /"mode":"([0-7])(?=[0-7]{3}")/g,
    (_, digit) => `"mode":"${digit & 1 || ""}`,
  );
/** Attributes that only an administrator may see. */
const withoutTrusted = (dump: string) => dump.replace(/,"xattrs":\["trusted[^\]]*\]/g, "");

const dumper = publicDumper();
const dumpOf = async (dir: string, ...owner: string[]) =>
  printed(await run(process.execPath, [dumper, dir, ...owner]));

/** The folder that all images are made of, which no test changes. */
let source: string;
/** How it looks to its owner, and with other owners, each asked for once. */
const looks = new Map<string, Promise<string>>();

function sourceDump(...owner: string[]): Promise<string> {
  const known = looks.get(`${owner}`) ?? dumpOf(source, ...owner);
  looks.set(`${owner}`, known);
  return known;
}

beforeAll(() => {
  source = everyType();
  writeFileSync(path.join(source, "run"), runArguments);
  chmodSync(path.join(source, "run"), 0o755);
});

describe.each(images)("%s", (_, options) => {
  let image: string;
  let file: string;
  const { uid, gid } = ordinaryUser();
  const inside = ["sh", "-c", 'exec "$0" "$1" "$FUSELAGE_BUNDLE_DIR" $2', process.execPath, dumper];

  beforeAll(async () => {
    image = await mksquashfs(source, ...options);
    file = await bundleOf(image);
  });

  skipUnless(
    "mksquashfs",
    "xattrs",
    "root",
    "loop",
  )("by loop, as root", async () => {
    const env = { FUSELAGE_MOUNT: "loop" };
    expect(printed(await run(file, inside, { env }))).toBe(await sourceDump());
  });

  skipUnless(
    "mksquashfs",
    "xattrs",
    "root",
    "fuse",
  )("by fuse, as root", async () => {
    const env = { FUSELAGE_MOUNT: "fuse" };
    expect(printed(await run(file, inside, { env }))).toBe(await sourceDump());
  });

  skipUnless(
    "mksquashfs",
    "xattrs",
    "root",
  )("by extract, as root", async () => {
    const env = { FUSELAGE_MOUNT: "extract" };
    const found = printed(await run(file, inside, { env }));
    expect(found).toBe(withoutRights(await sourceDump("0", "0")));
  });

  skipUnless(
    "mksquashfs",
    "xattrs",
    "fuse",
    "userns",
  )("by fuse, as a user", async () => {
    const home = userDirectory();
    const env = { FUSELAGE_MOUNT: "fuse" };
    const found = await asUser(file, [...inside, `${uid} ${gid}`], home, { env });
    expect(printed(found)).toBe(withoutTrusted(await sourceDump(`${uid}`, `${gid}`)));
  });

  skipUnless(
    "mksquashfs",
    "xattrs",
    "userns",
  )("by extract, as a user", async () => {
    const home = userDirectory();
    const env = { FUSELAGE_MOUNT: "extract" };
    const found = await asUser(file, [...inside, `${uid} ${gid}`], home, { env });
    expect(printed(found)).toBe(withoutRights(await sourceDump(`${uid}`, `${gid}`)));
  });

  skipUnless("mksquashfs", "xattrs")("by --bundle-extract", async () => {
    const target = path.join(temporaryDirectory(), "out");
    const asRoot = isRoot ? ["--owners", "--devices", "--privileged-xattrs"] : [];
    printed(await run(file, ["--bundle-extract", target, "--set-id", ...asRoot]));
    expect(await dumpOf(target)).toBe(await sourceDump());
  });

  skipUnless("mksquashfs")("keeps the image as it was made", async () => {
    const offset = Number(printed(await run(file, ["--bundle-offset"])));
    expect(readFileSync(file).subarray(offset).equals(readFileSync(image))).toBe(true);
    expect(offset % 4096).toBe(0);
  });
});
