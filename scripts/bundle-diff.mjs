// Runs small programs with popular packages by plain Node and as bundles, and compares what they print.
//
//   npm run bundle-diff [-- [--bundle=strict|fast|none] [PACKAGE]...]
//
// Packages come from the npm registry into build/bundle-diff once. Each program is there as CommonJS and
// as a module; both are built for the Node that runs this, in the modes strict and fast. A difference is
// a failure in strict; in fast it is printed.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { builtPackage } from "./build/dist.mjs";
import { root, run } from "./build/toolchain.mjs";
import { programs } from "./bundle-diff/programs.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { bundle: { type: "string", multiple: true, default: ["strict", "fast"] } },
});
const unknown = positionals.filter((name) => !Object.hasOwn(programs, name));
if (unknown.length > 0) {
  console.error(`bundle-diff: there is no program with ${unknown.join(", ")}`);
  process.exit(2);
}
const wanted = positionals.length > 0 ? positionals : Object.keys(programs);
const place = path.join(root, "build/bundle-diff");

/** All packages beside each other, as they would be in one app. */
function install() {
  const dependencies = Object.fromEntries(
    Object.entries(programs).map(([name, { version }]) => [name, version]),
  );
  const manifest = JSON.stringify({ private: true, dependencies });
  const file = path.join(place, "package.json");
  if (existsSync(file) && readFileSync(file, "utf8") === manifest) return;
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  const flags = [
    "--ignore-scripts",
    "--no-package-lock",
    "--no-audit",
    "--no-fund",
    "--no-engine-strict",
  ];
  writeFileSync(file, manifest);
  try {
    execFileSync("npm", ["install", "--legacy-peer-deps", ...flags], {
      cwd: place,
      stdio: "inherit",
    });
  } catch (error) {
    rmSync(file);
    throw error;
  }
}

/** @param {string} name @param {"require" | "import"} kind @returns {string} folder of the app */
function makeApp(name, kind) {
  const { version, body, also = [] } = programs[name];
  const dir = path.join(place, "apps", `${name.replace("/", "+")}-${kind}`);
  const isModule = kind === "import";
  const other = (/** @type {string} */ one) => /** @type {const} */ ([one, programs[one].version]);
  const manifest = {
    name: "program",
    version: "1.0.0",
    main: isModule ? "main.mjs" : "main.cjs",
    dependencies: Object.fromEntries([[name, version], ...also.map(other)]),
  };
  // Names that are only known at run time would keep the app from being bundled.
  const taken = [...new Set([...body.matchAll(/take\("([^"]+)"\)/g)].map(([, one]) => one))];
  const cases = taken.map((one, i) =>
    isModule ? `import * as taken${i} from "${one}";` : `const taken${i} = require("${one}");`,
  );
  const table = taken.map((one, i) => `"${one}": taken${i}`).join(", ");
  const lines = [
    isModule
      ? `import * as all from "${name}"; const it = all.default ?? all;`
      : `const it = require("${name}"), all = it;`,
    ...cases,
    `const take = (name) => ({ ${table} })[name];`,
    "const show = (...all) => console.log(JSON.stringify(all));",
    "const await_ = (promise, then) => promise.then(then);",
    body,
  ];
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, "package.json"), JSON.stringify(manifest));
  writeFileSync(path.join(dir, manifest.main), lines.join("\n"));
  return dir;
}

/** @param {string} command @param {string[]} args */
async function printed(command, args) {
  const env = { PATH: process.env.PATH, HOME: os.homedir(), DATA: place, FUSELAGE_LINGER: "0" };
  try {
    return await run(command, args, { env });
  } catch (error) {
    return `failed: ${error instanceof Error ? error.message : error}`;
  }
}

install();
const { build } = await builtPackage();
const work = mkdtempSync(path.join(os.tmpdir(), "fuselage-bundle-diff-"));
let different = 0;
try {
  for (const name of wanted) {
    for (const kind of /** @type {const} */ (["require", "import"])) {
      if (kind === "require" && programs[name].modules) continue;
      const app = makeApp(name, kind);
      const expected = await printed(process.execPath, [app]);
      for (const mode of values.bundle) {
        const output = path.join(work, "program.run");
        const bundle = /** @type {"strict" | "fast" | "none"} */ (mode);
        let how;
        let actual;
        try {
          const { summary } = await build({ input: app, output, node: "none", bundle });
          how = /\((?!it has)(.*)\), run by/.exec(summary)?.[1] ?? "bundled";
          actual = await printed(output, []);
        } catch (error) {
          how = "not built";
          actual = `${error}`;
        }
        const isSame = actual === expected;
        if (!isSame && mode === "strict") different++;
        console.log(`${isSame ? "same" : "DIFFERENT"}  ${name}, ${kind}, ${mode}: ${how}`);
        if (!isSame) console.log(`  plain:  ${expected.trim()}\n  bundle: ${actual.trim()}`);
      }
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${wanted.length} packages, ${different} differences in strict`);
process.exitCode = different > 0 ? 1 : 0;
