import { realpathSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { emptyClosure } from "../../../../builder/app/node/installed.ts";
import {
  installedPrograms,
  programOwner,
} from "../../../../builder/app/node/installed-programs.ts";
import { PackageReader } from "../../../../builder/app/node/package.ts";
import { type Files, writeFiles } from "../../../support/case.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

function project(files: Files): string {
  const dir = realpathSync(temporaryDirectory());
  writeFiles(dir, files);
  return dir;
}

const named = (name: string, bin: unknown) => JSON.stringify({ name, bin });

/** Links by path below node_modules, with what they lead to. */
async function programs(files: Files, packages: string[], places: string[] = []) {
  const dir = path.join(project(files), "node_modules");
  const closure = emptyClosure();
  for (const name of packages) closure.packages.add(path.join(dir, name));
  for (const place of places) closure.places.add(path.join(dir, place));
  const found = await installedPrograms(new PackageReader(), closure);
  return found.map(({ link, target, file }) =>
    [link, target, file].map((one) => path.relative(dir, one)),
  );
}

describe("installedPrograms", () => {
  test("names them as npm does, at every depth", async () => {
    const files = {
      "node_modules/a/package.json": named("a", "./cli.js"),
      "node_modules/@s/b/package.json": named("@s/b", "b.js"),
      "node_modules/c/package.json": named("c", { one: "bin/1", "@s/two": "bin/2" }),
      "node_modules/c/node_modules/d/package.json": named("d", { d: "d.js" }),
      "node_modules/e/package.json": named("e", undefined),
    };
    const packages = ["a", "@s/b", "c", "c/node_modules/d", "e"];
    expect(await programs(files, packages)).toEqual([
      [".bin/a", "a/cli.js", "a/cli.js"],
      [".bin/b", "@s/b/b.js", "@s/b/b.js"],
      [".bin/one", "c/bin/1", "c/bin/1"],
      [".bin/two", "c/bin/2", "c/bin/2"],
      ["c/node_modules/.bin/d", "c/node_modules/d/d.js", "c/node_modules/d/d.js"],
    ]);
  });

  test("goes by way of a link that leads to the package", async () => {
    const real = ".pnpm/a@1/node_modules/a";
    const files = {
      [`node_modules/${real}/package.json`]: named("a", "cli.js"),
      "node_modules/a": { link: real },
    };
    expect(await programs(files, [real], ["a"])).toContainEqual([
      ".bin/a",
      "a/cli.js",
      `${real}/cli.js`,
    ]);
  });

  test("leads to no file outside of the package, and takes no name with a slash", async () => {
    const bin = { "../../evil": "../../../etc/passwd", "": "x", "..": "y" };
    const files = { "node_modules/a/package.json": named("a", bin) };
    const found = await programs(files, ["a"]);
    expect(found).toEqual([[".bin/evil", "a/etc/passwd", "a/etc/passwd"]]);
  });

  test("takes the one of two that is installed by that name", async () => {
    for (const owner of ["a", "b"]) {
      const files: Files = {
        "node_modules/a/package.json": named("a", { tool: "a.js" }),
        "node_modules/b/package.json": named("b", { tool: "b.js" }),
        "node_modules/a/a.js": "",
        "node_modules/b/b.js": "",
        "node_modules/.bin/tool": { link: `../${owner}/${owner}.js` },
      };
      const target = `${owner}/${owner}.js`;
      expect(await programs(files, ["a", "b"])).toEqual([[".bin/tool", target, target]]);
    }
  });
});

describe("programOwner", () => {
  const dir = project({
    "node_modules/a/cli.js": "",
    "node_modules/b/cli.js": "",
    "node_modules/.bin/a": { link: "../a/cli.js" },
    "node_modules/.bin/shim": '#!/bin/sh\nexec node  "$basedir/../b/cli.js" "$@"\n',
    "node_modules/.bin/own": { link: "../../own.js" },
    "own.js": "",
  });
  test.each([
    ["node_modules/.bin/a", "node_modules/a"],
    ["node_modules/.bin/shim", "node_modules/b"],
    ["node_modules/.bin/b", "node_modules/b"],
    ["node_modules/.bin/own", undefined],
    ["node_modules/.bin/nobody", undefined],
    ["node_modules/a/cli.js", undefined],
  ])("of %s is %s", (file, owner) => {
    const found = programOwner(path.join(dir, file));
    expect(found && path.relative(dir, found)).toBe(owner);
  });
});
