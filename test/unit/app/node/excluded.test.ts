import { describe, expect, test } from "vitest";
import { Excluded } from "../../../../builder/app/node/excluded.ts";

const has = (glob: string, file: string) => new Excluded("/repo/app", [glob]).has(file);

describe("leaves out", () => {
  test.each([
    ["a file of the project", "dist/a.js", "/repo/app/dist/a.js"],
    ["what is in a folder", "./dist/", "/repo/app/dist/deep/a.js"],
    ["an ending anywhere", "**/*.map", "/repo/app/src/a.map"],
    ["a file of a package", "node_modules/n/b.node", "/repo/app/node_modules/n/b.node"],
    ["a file of a hoisted package", "node_modules/n/b.node", "/repo/node_modules/n/b.node"],
    [
      "a package in a store",
      "node_modules/@s/n",
      "/repo/node_modules/.pnpm/n@1/node_modules/@s/n/b",
    ],
    [
      "a package by its place too",
      "node_modules/a/node_modules/n",
      "/repo/app/node_modules/a/node_modules/n/b",
    ],
    ["an ending in a hoisted package", "**/*.map", "/repo/node_modules/n/a.map"],
  ])("%s", (_, glob, file) => {
    expect(has(glob, file)).toBe(true);
  });
});

describe("keeps", () => {
  test.each([
    [
      "a folder of a package that is called as one of the project",
      "dist",
      "/repo/app/node_modules/n/dist/a.js",
    ],
    ["the same of a hoisted package", "dist", "/repo/node_modules/n/dist/a.js"],
    ["a file beside the project", "a.js", "/repo/a.js"],
    ["another package", "node_modules/n", "/repo/app/node_modules/nn/a.js"],
    ["everything without a glob", "", "/repo/app/a.js"],
  ])("%s", (_, glob, file) => {
    expect(new Excluded("/repo/app", glob === "" ? [] : [glob]).has(file)).toBe(false);
  });
});
