import { describe, expect, test } from "vitest";
import {
  byteString,
  bytesOf,
  checkName,
  checkTarget,
  displayPath,
  joinPath,
  nameProblem,
  splitPath,
} from "../../../builder/tree/path.ts";

describe("nameProblem", () => {
  test.each(["a", "...", " ", "-", "\n", "\xff", "n".repeat(255)])("%j may be a name", (name) => {
    expect(nameProblem(name)).toBeUndefined();
  });
  test.each(["", ".", "..", "a/b", "/", "a\0b", "€", "n".repeat(256)])("%j may not", (name) => {
    expect(nameProblem(name)).toBeTypeOf("string");
    expect(() => checkName(name)).toThrow(expect.objectContaining({ code: "E_PATH_INVALID" }));
  });
});

describe("checkTarget", () => {
  test.each(["/", "..", "a\nb", "t".repeat(4095)])("accepts %j", (target) => {
    expect(checkTarget(target, "link")).toBe(target);
  });
  test.each(["", "a\0b", "€", "t".repeat(4096)])("refuses %j", (target) => {
    expect(() => checkTarget(target, "link")).toThrow(
      expect.objectContaining({ code: "E_PATH_INVALID", path: "link" }),
    );
  });
});

describe("displayPath", () => {
  test.each([
    ["plain/name", "plain/name"],
    [byteString("été"), "été"],
    ["\xff\xfe", "\\xff\\xfe"],
    [`a\xff${byteString("é")}`, "a\\xff\\xc3\\xa9"],
    ["new\nline\ttab", "new\\nline\\ttab"],
    ["\x1b[31mred\x7f", "\\x1b[31mred\\x7f"],
    ["back\\slash", "back\\\\slash"],
    [byteString("\u202egnp"), "\\xe2\\x80\\xaegnp"],
  ])("%j is shown as %j", (path, shown) => {
    expect(displayPath(path)).toBe(shown);
  });
});

test("byte strings are the UTF-8 of a text", () => {
  expect(byteString("é€")).toBe("\xc3\xa9\xe2\x82\xac");
  expect(bytesOf(byteString("é€")).toString()).toBe("é€");
});

test("paths split into checked names", () => {
  expect(splitPath("")).toEqual([]);
  expect(splitPath("a/b")).toEqual(["a", "b"]);
  for (const path of ["/a", "a/", "a//b", "a/../b", "./a"]) {
    expect(() => splitPath(path)).toThrow(expect.objectContaining({ path }));
  }
  expect(joinPath("", "a")).toBe("a");
  expect(joinPath("a", "b")).toBe("a/b");
});
