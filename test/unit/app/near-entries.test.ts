import { describe, expect, test } from "vitest";
import { nearEntries } from "../../../builder/app/near-entries.ts";
import { fileNode } from "../../../builder/tree/node.ts";
import { Tree } from "../../../builder/tree/tree.ts";

/** A tree of files; "+" in front of a name: with an executable bit. */
function tree(...names: string[]): Tree {
  const made = new Tree();
  for (const name of names)
    made.add(name.replace("+", ""), fileNode("", { mode: name.startsWith("+") ? 0o755 : 0o644 }));
  return made;
}

const near = (...names: string[]) => nearEntries(tree(...names), "shop");

describe("what looks like a program:", () => {
  test.each<[string, string[], string[]]>([
    ["a source", ["package.json", "src/server.js", "src/routes.js"], ["src/server.js"]],
    ["what was built", ["dist/index.js", "dist/index.d.ts", "dist/chunk.js"], ["dist/index.js"]],
    [
      "a source before what was built of it",
      ["dist/main.js", "src/main.ts"],
      ["src/main.ts", "dist/main.js"],
    ],
    [
      "a program of bin/ before both",
      ["bin/tool.mjs", "src/main.ts"],
      ["bin/tool.mjs", "src/main.ts"],
    ],
    [
      "what has the name of the bundle",
      ["lib/main.js", "lib/shop.js"],
      ["lib/shop.js", "lib/main.js"],
    ],
    ["an executable file anywhere", ["+target/release/any", "readme"], ["target/release/any"]],
    ["the program of a workspace", ["packages/web/src/server.ts"], ["packages/web/src/server.ts"]],
    ["three of many", ["+x/a", "+x/b", "+x/c", "+x/d"], ["x/a", "x/b", "x/c"]],
  ])("%s", (_, names, expected) => {
    expect(near(...names).startable).toEqual(expected);
  });
});

test.each([
  "node_modules/tool/bin/tool.js",
  "src/server.test.ts",
  "test/server.js",
  "vite.config.js",
  "+lib/libz.so.1",
  ".git/hooks/run.js",
  "src/routes.js",
  "a/b/c/d/server.js",
])("%s does not", (name) => {
  expect(near(name)).toEqual({ startable: [], mute: [] });
});

test.each(["bin/shop", "start.sh", "shop", "usr/bin/any"])("%s lacks its bit", (name) => {
  expect(near(name, "data")).toEqual({ startable: [], mute: [name] });
});
