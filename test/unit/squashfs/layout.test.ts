import { expect, test } from "vitest";
import { layoutOrder } from "../../../builder/squashfs/layout.ts";
import { fileNode } from "../../../builder/tree/node.ts";

const expected = [
  ".hidden",
  "top.js",
  "a/a.js",
  "a/z.js",
  "a/b.ts",
  "a/LICENSE",
  "a/b/c.js",
  "a-b/x",
];

test("directories stay in one piece, in them files of a kind are neighbours", () => {
  const files = expected.toSorted().map((path) => {
    const node = fileNode(path);
    return { node, path, contents: node.contents };
  });
  expect(layoutOrder(files).map(({ path }) => path)).toEqual(expected);
  expect(layoutOrder(files.toReversed()).map(({ path }) => path)).toEqual(expected);
});
