import { realpathSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { analyse } from "../../../../builder/app/node/analyse.ts";
import { programFor } from "../../../../builder/app/node/bundle-javascript.ts";
import { chooseExternal, externalSpecifier } from "../../../../builder/app/node/external.ts";
import { PackageReader } from "../../../../builder/app/node/package.ts";
import { declarePlace } from "../../../../builder/app/node/sources.ts";
import { targetFor } from "../../../../builder/app/node/target.ts";
import { type Files, writeFiles } from "../../../support/case.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

function project(files: Files): string {
  const dir = realpathSync(temporaryDirectory());
  writeFiles(dir, { "package.json": "{}", ...files });
  return dir;
}

const target = targetFor("x86_64", "glibc");

async function reasons(files: Files): Promise<Record<string, string>> {
  const dir = project(files);
  const reader = new PackageReader();
  const analysis = await analyse(reader, dir, path.join(dir, "main.js"), undefined);
  const external = await chooseExternal(reader, dir, analysis, target, true);
  const named = [...external.packages].map((owner) => [
    path.relative(`${dir}/node_modules`, owner),
    external.reasons.get(owner) ?? "depended on",
  ]);
  return Object.fromEntries(named);
}

describe("what stays a file", () => {
  const modules = "node_modules";
  const uses = (...names: string[]) => names.map((name) => `require("${name}");`).join("");

  test.each([
    ["it uses __dirname", "exports.at = __dirname"],
    ["it uses new Worker", "exports.go = (W) => new Worker(W)"],
    ["it requires a name that is only known at run time", "exports.load = (name) => require(name)"],
    ["it passes require on", "exports.load = ((load) => load)(require)"],
    ["it imports a name that is only known at run time", "exports.load = (name) => import(name)"],
    ["it uses import.meta", "export const at = import.meta.url"],
    ["it uses module.parent", "exports.main = !module.parent"],
  ])("a package because %s", async (reason, code) => {
    expect(await reasons({ "main.js": uses("a"), [`${modules}/a/index.js`]: code })).toEqual({
      a: reason,
    });
  });

  test("nothing, where all is known", async () => {
    const files = {
      "main.js": uses("a"),
      [`${modules}/a/index.js`]: 'exports.b = require("b"); exports.c = () => import("./c.js")',
      [`${modules}/a/c.js`]: 'require("node:fs")',
      [`${modules}/b/index.js`]: "",
    };
    expect(await reasons(files)).toEqual({});
  });

  test("a package with all that it depends on, and what only package.json names", async () => {
    const files = {
      "package.json": '{ "dependencies": { "a": "1", "named": "1", "@types/a": "1" } }',
      "main.js": uses("a", "c"),
      [`${modules}/a/package.json`]: '{ "dependencies": { "b": "1" } }',
      [`${modules}/a/index.js`]: "exports.at = __filename",
      [`${modules}/a/${modules}/b/index.js`]: "",
      [`${modules}/b/index.js`]: "",
      [`${modules}/c/index.js`]: "",
      [`${modules}/named/index.js`]: "",
      [`${modules}/@types/a/index.d.ts`]: "",
    };
    expect(await reasons(files)).toEqual({
      a: "it uses __filename",
      "a/node_modules/b": "depended on",
      named: "nothing imports it by name, so it may be loaded at run time",
    });
  });

  test("a package with optional dependencies for single machines", async () => {
    const files = {
      "main.js": uses("fast"),
      [`${modules}/fast/package.json`]:
        '{ "optionalDependencies": { "fast-linux-x64": "1", "fast-darwin-arm64": "1" } }',
      [`${modules}/fast/index.js`]: "",
      [`${modules}/fast-linux-x64/package.json`]: '{ "os": ["linux"], "cpu": ["x64"] }',
      [`${modules}/fast-darwin-arm64/package.json`]: '{ "os": ["darwin"] }',
    };
    expect(await reasons(files)).toEqual({
      fast: "its optional dependencies are compiled",
      "fast-linux-x64": "depended on",
    });
  });
});

describe("externalSpecifier", () => {
  test("is the name where Node finds the same package, and the file where it finds another", () => {
    const dir = project({
      "node_modules/a/index.js": "",
      "node_modules/b/node_modules/a/index.js": "",
    });
    const places = new Set<string>();
    const at = (name: string) => externalSpecifier(`${dir}/src`, "a", `${dir}/${name}`, { places });
    expect(at("node_modules/a/index.js")).toBe("a");
    expect([...places]).toEqual([`${dir}/node_modules/a`]);
    expect(at("node_modules/b/node_modules/a/index.js")).toBe(
      "../node_modules/b/node_modules/a/index.js",
    );
  });
});

describe("programFor", () => {
  test.each([
    ["main.js", true, undefined, "main.mjs"],
    ["main.js", false, undefined, "main.js"],
    ["main.ts", true, undefined, "main.mjs"],
    ["main.ts", false, undefined, "main.js"],
    ["main.mjs", true, undefined, "main.mjs"],
    ["tool", false, undefined, "tool"],
    ["module/main.js", true, undefined, "module/main.js"],
    ["module/main.ts", true, undefined, "module/main.js"],
    ["module/main.ts", false, undefined, "module/main.cjs"],
    ["module/main.cjs", false, undefined, "module/main.cjs"],
    ["worker.ts", true, "worker.js", "worker.js"],
  ])("%s, a module: %s, asked for as %s → %s", async (source, isModule, name, output) => {
    const dir = project({ "module/package.json": '{ "type": "module" }' });
    const asked = name === undefined ? undefined : path.join(dir, name);
    const program = await programFor(new PackageReader(), path.join(dir, source), isModule, asked);
    expect(path.relative(dir, program.output)).toBe(output);
    // A name that others ask for decides, and worker.js is no module in this package.
    expect(program.isModule).toBe(name === undefined && isModule);
  });
});

describe("declarePlace", () => {
  test("keeps lines, a directive and what stands behind #!", () => {
    const text = "#!/usr/bin/env node\n'use strict'\nx()";
    const declared = declarePlace(text, "../lib/x.js", false);
    expect(declared).toMatch(/^"use strict";const __fuselage_filename=.*"\.\.\/lib\/x\.js"/);
    expect(declared.split("\n").slice(1)).toEqual(["'use strict'", "x()"]);
    expect(declared.split("\n")[0]).toMatch(/\/\/\/usr\/bin\/env node$/);
    expect(declarePlace("x()", "x.js", true)).toMatch(/^const .*__fuselage_started;x\(\)$/);
  });
});
