import { expect, test } from "vitest";
import { NO_XATTRS, XattrTable } from "../../../builder/squashfs/xattrs.ts";

const xattr = (name: string, value = "") => ({ name, value: Buffer.from(value) });
const stored = () => null;

test("equal sets are one, in whatever order they were listed", () => {
  const table = new XattrTable();
  const [a, b] = [xattr("user.a", "1"), xattr("security.b", "2")];
  expect(table.index([], () => "")).toBe(NO_XATTRS);
  expect(table.index([a, b], () => "")).toBe(0);
  expect(table.index([a], () => "")).toBe(1);
  expect(table.index([b, a], () => "")).toBe(0);
  expect(table.count).toBe(2);
});

test("pairs, sets, header and offsets follow each other", () => {
  const table = new XattrTable();
  table.index([xattr("user.ab", "xyz")], () => "");
  const { bytes, size, start } = table.encode(100, stored);
  const all = Buffer.concat(bytes);
  expect(all.length).toBe(size);
  expect(all.toString("hex")).toBe(
    // pair: prefix 0, "ab", 3 bytes
    "0d80" +
      "00000200" +
      "6162" +
      "03000000" +
      "78797a" +
      // set: where, how many, how long
      "1080" +
      "0000000000000000" +
      "01000000" +
      "0d000000" +
      // header: pairs at 100, one set; offset of the sets' block
      "6400000000000000" +
      "01000000" +
      "00000000" +
      "7300000000000000",
  );
  expect(start).toBe(100 + 15 + 18);
});

test("what the format has no room for is refused by name", () => {
  const table = new XattrTable();
  const limit = (message: RegExp) =>
    expect.objectContaining({ code: "E_IMAGE_LIMIT", message: expect.stringMatching(message) });
  expect(() => table.index([xattr("system.posix_acl")], () => "f")).toThrow(
    limit(/system\.posix_acl/),
  );
  expect(() => table.index([xattr("user.")], () => "f")).toThrow(limit(/user\./));
  const large = xattr("user.large", "x".repeat(65537));
  expect(() => table.index([large], () => "f")).toThrow(limit(/65537 bytes/));
});
