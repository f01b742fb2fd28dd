// Everything that can be said about the sources without running them.
//
//   node scripts/check.mjs [--fix] [--without NAME] [types|lint|format|floors|generated|docs|tree|unused|analysis]...
//
// Prints one line for each check; fails when one of them does. With --fix what a tool can put right
// by itself is put right first. Without any name it makes all of them, but the one that --without names.

import { readdirSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { run } from "./build/toolchain.mjs";
import { analysisProblems } from "./check/analysis.mjs";
import { docsProblems } from "./check/docs.mjs";
import { floorProblems } from "./check/floors.mjs";
import { packageProblems } from "./check/package.mjs";
import { treeProblems } from "./check/tree.mjs";
import { unusedProblems } from "./check/unused.mjs";
import { generate, staleFiles } from "./generate.mjs";

const root = path.resolve(import.meta.dirname, "..");
const bin = (/** @type {string} */ name) => path.join(root, "node_modules/.bin", name);

function cSources() {
  return ["runtime", "native", "scripts"].flatMap((dir) =>
    readdirSync(path.join(root, dir), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(c|h|cc)$/.test(name) && !name.startsWith("generated/"))
      .map((name) => path.join(dir, name)),
  );
}

function wanted() {
  const options = /** @type {const} */ ({
    fix: { type: "boolean", default: false },
    without: { type: "string", default: "" },
  });
  try {
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    console.error(`check: ${error instanceof Error ? error.message : error}`);
    process.exit(2);
  }
}

const {
  positionals,
  values: { fix, without },
} = wanted();

/** Lines of a tool's output that are shown; the first ones are what one mends first. */
const MAX_LINES = 60;

/**
 * Each returns problems, or problems and a note on what was not checked, or rejects with what a tool
 * printed.
 * @type {Record<string, () => Promise<string[] | {problems: string[], note?: string}>>}
 */
const checks = {
  async types() {
    await run(bin("tsc"), ["--noEmit", "-p", "tsconfig.json"]);
    await run(bin("tsc"), ["--noEmit", "-p", "scripts"]);
    return [];
  },
  async lint() {
    await run(bin("biome"), ["check", ...(fix ? ["--write"] : []), "--error-on-warnings", "."]);
    return [];
  },
  async format() {
    // npm carries the binary for x86_64 only; on other machines the system's own is taken.
    const tool = process.arch === "x64" ? bin("clang-format") : "clang-format";
    await run(tool, ["--style=file", ...(fix ? ["-i"] : ["--dry-run", "-Werror"]), ...cSources()]);
    return [];
  },
  async floors() {
    return floorProblems();
  },
  async generated() {
    if (fix) generate();
    return staleFiles().map((file) => `${file} is stale; run: node scripts/generate.mjs`);
  },
  async docs() {
    // A page that is published leads nowhere outside of the package.
    return [...(await docsProblems(fix)), ...(await packageProblems()).problems];
  },
  tree: treeProblems,
  package: packageProblems,
  unused: unusedProblems,
  analysis: analysisProblems,
};

const unknown = [...positionals, ...(without ? [without] : [])].filter(
  (name) => !Object.hasOwn(checks, name),
);
if (unknown.length > 0) {
  console.error(
    `check: there is no ${unknown.join(", ")}; there are ${Object.keys(checks).join(", ")}`,
  );
  process.exit(2);
}
let failed = false;
for (const [name, check] of Object.entries(checks)) {
  if (name === without) continue;
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const found = await check().catch((error) => [error.message]);
  const { problems, note } = Array.isArray(found) ? { problems: found, note: undefined } : found;
  failed ||= problems.length > 0;
  const lines = problems.join("\n").split("\n");
  const more = lines.length > MAX_LINES ? `\n... and ${lines.length - MAX_LINES} lines more` : "";
  const shown = lines.slice(0, MAX_LINES).join("\n") + more;
  console.log(
    `check ${name}: ${problems.length === 0 ? "ok" : `failed\n${shown}`}${note ? ` (${note})` : ""}`,
  );
}
process.exitCode = failed ? 1 : 0;
