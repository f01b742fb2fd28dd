import { expect, test } from "vitest";
import { dumpLine, escapeBytes } from "../../../builder/api/dump.ts";

test("no two byte strings are one text, and every text is one word of ASCII", () => {
  const every = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
  const texts = every.map(escapeBytes);
  expect(new Set(texts).size).toBe(256);
  for (const text of texts) expect(text).toMatch(/^([!-[\]-~]|\\x[0-9a-f]{2})$/);
  expect(escapeBytes("a b\\x20\n")).toBe("a\\x20b\\x5cx20\\x0a");
});

test("fields stand in one order, and what is not there is a dash", () => {
  const device = { path: "/d", type: "char", mode: "0600", uid: 1, gid: 2, mtime: -3 } as const;
  expect(dumpLine({ ...device, device: "1:3" })).toBe("/d char 0600 1:2 - -3 device=1:3");
  const file = { path: "/f", type: "file", mode: "4755", size: 0, sha256: "00" } as const;
  const more = { links: 2, first: "/e", xattrs: { "user.a=b": "c=d", "user.e": "" } };
  expect(dumpLine({ ...file, ...more })).toBe(
    "/f file 4755 - 0 - sha256=00 links=2 first=/e xattr.user.a\\x3db=c=d xattr.user.e=",
  );
});
