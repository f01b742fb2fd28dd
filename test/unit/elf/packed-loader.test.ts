import { describe, expect, test } from "vitest";
import { withoutHostFiles } from "../../../builder/elf/packed-loader.ts";

const files = ["/etc/ld.so.cache", "/etc/ld.so.preload"];

/** Constants with code around them, as a dynamic linker has them. */
function loader(...lists: (readonly string[])[]): Buffer {
  const texts = lists.map((list) => list.map((text) => `${text}\0`).join(""));
  return Buffer.from(`\x7fELF\x01\x02\0${texts.join("\x8b\x05\xc0\x01")}\xff\xd0\0`, "latin1");
}

const text = (bytes: Buffer) => bytes.toString("latin1");

/** Default folders of distributions. */
const layouts: Record<string, string[]> = {
  Debian: ["/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/"],
  "Fedora and openSUSE": ["/lib64/", "/usr/lib64/"],
  Arch: ["/usr/lib/"],
  NixOS: ["/nix/store/0123456789abcdfghijklmnpqrsvwxyz-glibc-2.40-66/lib/"],
  "a cross compiler's": ["/usr/aarch64-linux-gnu/lib/", "/lib/aarch64-linux-gnu/"],
};

describe("a dynamic linker", () => {
  for (const [system, folders] of Object.entries(layouts)) {
    test(`has none of the host's files left: ${system}'s`, () => {
      for (const lists of [[folders], [folders, folders]]) {
        const before = loader(["LD_LIBRARY_PATH", ...files, "symbol"], ...lists);
        const copy = Buffer.from(before);
        const after = withoutHostFiles(before, "ld.so");
        expect(before.equals(copy)).toBe(true);
        expect(after.length).toBe(before.length);
        for (const name of [...files, ...folders]) expect(text(after)).not.toContain(`${name}\0`);
        expect(text(after)).toContain("\0\0etc/ld.so.cache\0\0etc/ld.so.preload\0symbol\0");
        for (const folder of folders) {
          const blank = `/${"\x7f".repeat(folder.length - 2)}/\0`;
          expect(text(after).split(blank)).toHaveLength(lists.length + 1);
        }
        expect(withoutHostFiles(after, "ld.so").equals(after)).toBe(true);
      }
    });
  }

  test("has another name for what NixOS preloads", () => {
    const after = withoutHostFiles(
      loader(["/nix/store/x/etc/ld.so.cache", "/etc/ld-nix.so.preload"], ["/nix/store/x/lib/"]),
      "ld.so",
    );
    expect(text(after)).not.toContain("/etc/ld-nix");
  });

  const [debian = []] = Object.values(layouts);
  const odd: Record<string, Buffer> = {
    "without a cache": loader(["/etc/ld.so.preload"], debian),
    "without a file to preload": loader(["/etc/ld.so.cache"], debian),
    "with two caches": loader([...files, "/usr/local/etc/ld.so.cache"], debian),
    "without folders": loader(files),
    "with other folders in its second list": loader(files, debian, ["/lib64/", "/usr/lib64/"]),
    "with three lists": loader(files, debian, debian, debian),
    "with a list that starts inside a text": loader(files, ["prefix/lib64/", "/usr/lib64/"]),
    "that is none": Buffer.from("#!/bin/sh\n"),
  };
  for (const [title, bytes] of Object.entries(odd)) {
    test(`is refused whole: ${title}`, () => {
      const copy = Buffer.from(bytes);
      expect(() => withoutHostFiles(bytes, "the file")).toThrow(
        expect.objectContaining({ code: "E_LIBC_UNKNOWN", path: "the file" }),
      );
      expect(bytes.equals(copy)).toBe(true);
    });
  }
});
