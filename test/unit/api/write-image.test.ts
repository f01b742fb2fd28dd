import { existsSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readImage } from "../../../builder/api/read-image.ts";
import { type ImageSource, writeImage } from "../../../builder/api/write-image.ts";
import { hashFile, noise } from "../../support/image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const large = noise(3_000_000, "large");

function sources(dir: string): ImageSource[] {
  writeFileSync(`${dir}/on-disk`, large);
  return [
    { path: "/", mode: 0o700, uid: 5 },
    { path: "etc/motd", contents: "Grüße\n", mode: 0o600, uid: 12, gid: 34, mtime: 77 },
    { path: "/bin/tool", file: `${dir}/on-disk`, mode: 0o4755 },
    { path: "bin/same", kind: "hard-link", target: "/bin/tool" },
    { path: "bin/link", kind: "symlink", target: "tool" },
    {
      path: "var/empty/",
      mode: 0o1777,
      xattrs: { "user.a": "b", "user.bytes": Buffer.of(0, 255) },
    },
    { path: "dev/null", kind: "character-device", device: { major: 1, minor: 3 } },
    { path: "run/pipe", kind: "fifo" },
    { path: "empty" },
  ];
}

test("what is written can be read again, and is the same each time", async () => {
  const dir = temporaryDirectory();
  const facts = await writeImage(sources(dir), { output: `${dir}/one.sfs`, compression: "lz4" });
  expect(facts).toMatchObject({ files: 3, compression: "lz4" });
  async function* later() {
    yield* sources(dir);
  }
  await writeImage(later(), { output: `${dir}/two.sfs`, compression: "lz4", threads: 3 });
  expect(await hashFile(`${dir}/one.sfs`)).toEqual(await hashFile(`${dir}/two.sfs`));
  await readImage(`${dir}/one.sfs`, async ({ entries, read, facts: read_ }) => {
    const by = Object.fromEntries(entries.map(({ path, ...rest }) => [path, rest]));
    expect(by[""]).toMatchObject({ kind: "directory", mode: 0o700, uid: 5 });
    expect(by["etc"]).toMatchObject({ kind: "directory", mode: 0o755, mtime: 315532800 });
    expect(by["etc/motd"]).toMatchObject({ mode: 0o600, uid: 12, gid: 34, mtime: 77, size: 8 });
    expect(by["bin/tool"]).toMatchObject({ mode: 0o4755, links: 2, inode: by["bin/same"]?.inode });
    expect(by["bin/link"]).toMatchObject({ kind: "symlink", target: "tool" });
    expect(by["var/empty"]).toMatchObject({ mode: 0o1777 });
    expect(by["var/empty"]?.xattrs).toEqual({
      "user.a": Buffer.from("b"),
      "user.bytes": Buffer.of(0, 255),
    });
    expect(by["dev/null"]).toMatchObject({
      kind: "character-device",
      device: { major: 1, minor: 3 },
    });
    expect(by["run/pipe"]?.kind).toBe("fifo");
    expect(read_.inodes).toBe(entries.length - 1);
    expect((await read("etc/motd")).toString()).toBe("Grüße\n");
    expect((await read("/bin/same")).equals(large)).toBe(true);
    await expect(read("bin/link")).rejects.toMatchObject({ code: "E_PATH_INVALID" });
    await expect(read("nothing")).rejects.toMatchObject({ code: "E_PATH_INVALID" });
  });
});

describe("refused", () => {
  test.each<[ImageSource, string]>([
    [{ path: "a/../b" }, "E_PATH_INVALID"],
    [{ path: "a", mode: 0o10000 }, "E_PATH_INVALID"],
    [{ path: "a", uid: -1 }, "E_PATH_INVALID"],
    [{ path: "a", mtime: 1.5 }, "E_PATH_INVALID"],
    [{ path: "a", kind: "hard-link", target: "b" }, "E_PATH_INVALID"],
    [{ path: "a", kind: "symlink" }, "E_PATH_INVALID"],
    [{ path: "a", kind: "block-device" }, "E_PATH_INVALID"],
    [{ path: "a", xattrs: { "system.posix_acl_access": "" } }, "E_PATH_INVALID"],
    [{ path: "a", file: "no such file" }, "E_FILE_UNREADABLE"],
    [{ path: "a", contents: "b", file: "c" }, "E_PATH_INVALID"],
    [{ path: "a/", contents: "b" }, "E_PATH_INVALID"],
    [{ path: "a", kind: "symlink", target: "b", file: "c" }, "E_PATH_INVALID"],
    [{ path: "a", target: "b" }, "E_PATH_INVALID"],
    [{ path: "a", kind: "fifo", device: { major: 1, minor: 3 } }, "E_PATH_INVALID"],
  ])("%j is %s", async (entry, code) => {
    const output = `${temporaryDirectory()}/out`;
    await expect(writeImage([entry], { output })).rejects.toMatchObject({ code });
  });

  // What a program without types may hand over.
  test.each<[unknown, RegExp]>([
    [[{ path: "a", kind: "folder" }], /E_PATH_INVALID.*: there is no such kind/],
    [
      [{ path: "a", content: "b" }],
      /E_PATH_INVALID.*a: an entry has no content; contents is meant/,
    ],
    [[{ path: "a", contents: 5 }], /E_PATH_INVALID.*a: its contents are neither/],
    [[{ path: "a", file: 5 }], /E_PATH_INVALID.*a: its file is no text/],
    [[{ path: "a", xattrs: { "user.a": 5 } }], /E_PATH_INVALID.*a: the value of "user.a"/],
    [[{ contents: "b" }], /E_OPTION_VALUE.*entries .*objects with a path/],
    [["a"], /E_OPTION_VALUE.*entries .*found "a"/],
    [[undefined], /E_OPTION_VALUE.*entries /],
    [null, /E_OPTION_VALUE.*entries /],
    [{ path: "a" }, /E_OPTION_VALUE.*entries .*iterate/],
  ])("%j by what is wrong with it", async (entries, expected) => {
    const output = `${temporaryDirectory()}/out`;
    const thrown = await writeImage(entries as ImageSource[], { output }).catch((error) => error);
    expect(`${thrown.code}: ${thrown.message}`).toMatch(expected);
    expect(existsSync(output)).toBe(false);
  });

  test("a second entry of one name", async () => {
    const output = `${temporaryDirectory()}/out`;
    await expect(writeImage([{ path: "a" }, { path: "a" }], { output })).rejects.toMatchObject({
      code: "E_PATH_INVALID",
    });
  });
});
