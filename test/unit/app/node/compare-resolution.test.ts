import { realpathSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { analyse } from "../../../../builder/app/node/analyse.ts";
import { differencesFromNode } from "../../../../builder/app/node/compare-resolution.ts";
import { PackageReader } from "../../../../builder/app/node/package.ts";
import { writeFiles } from "../../../support/case.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

async function planted() {
  const dir = realpathSync(temporaryDirectory());
  writeFiles(dir, {
    "package.json": '{ "type": "module" }',
    "main.js": 'import "dual"; import "./other.cjs"; import "node:fs";',
    "other.cjs": 'require("dual"); require("./lib");',
    "lib.js": "",
    "node_modules/dual/package.json":
      '{ "exports": { "import": "./m.mjs", "require": "./c.cjs" } }',
    "node_modules/dual/m.mjs": "",
    "node_modules/dual/c.cjs": "",
  });
  const analysis = await analyse(new PackageReader(), dir, path.join(dir, "main.js"), undefined);
  return { dir, analysis };
}

test("Node finds what the bundler was told", async () => {
  const { analysis } = await planted();
  expect(analysis.files.length).toBe(5);
  const differences = await differencesFromNode(process.execPath, temporaryDirectory(), analysis);
  expect(differences).toEqual(new Map());
});

test("what Node finds otherwise is named, with both files", async () => {
  const { dir, analysis } = await planted();
  const wrong = path.join(dir, "node_modules/dual/m.mjs");
  for (const one of analysis.imports.get(path.join(dir, "other.cjs")) ?? []) one.file = wrong;
  const differences = await differencesFromNode(process.execPath, temporaryDirectory(), analysis);
  expect([...differences.keys()]).toEqual([path.join(dir, "other.cjs")]);
  expect([...differences.values()][0]).toBe(`Node finds ${dir}/lib.js for ./lib, not ${wrong}`);
});

test("a Node that cannot be asked is a failure", async () => {
  const { analysis } = await planted();
  const asked = differencesFromNode("/bin/false", temporaryDirectory(), analysis);
  await expect(asked).rejects.toThrow("ended with 1");
});
