// What npm would publish: all that it needs is in it, nothing else is, and its texts name what is there.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { reachableDeclarations } from "../build/declarations.mjs";
import { architectures, machineOf } from "../build/machines.mjs";

const root = path.resolve(import.meta.dirname, "../..");

/**
 * The files of the package: their paths in it.
 * @returns {string[]}
 */
function packedFiles(/** @type {string} */ dir) {
  // Without its scripts: what is stale is for the caller to build.
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const [packed] = JSON.parse(execFileSync("npm", args, { cwd: dir, encoding: "utf8" }));
  return packed.files.map((/** @type {{path: string}} */ file) => file.path);
}

/** @typedef {{files: Set<string>, read: (file: string) => string}} Package */

/** What has to be there: every machine's programs, and what package.json names. */
function neededFiles(/** @type {Package} */ { read }) {
  const { bin, man, exports } = JSON.parse(read("package.json"));
  const machines = architectures.flatMap((arch) => [
    ...["front", "fuselage", "guest"].map((name) => `dist/runtime/${arch}/${name}`),
    ...["libfuselage-mount.a", "pkgconfig/fuselage-mount.pc"].map((it) => `dist/lib/${arch}/${it}`),
    ...["loader", "variables"].map((stub) => `dist/stubs/${arch}/${stub}`),
    `dist/native/linux-${machineOf(arch).node}.node`,
  ]);
  const named = [...Object.values(bin), ...man, ...Object.values(exports["."])];
  const others = ["dist/include/fuselage-mount.h", "README.md", "LICENSE"];
  return [...machines, ...named, ...others].map((file) => path.normalize(file));
}

/** Man pages go with a command that the package installs, or nobody finds what they tell of. */
function pageProblems(/** @type {Package} */ { read }) {
  const { bin, man } = JSON.parse(read("package.json"));
  return man
    .filter((/** @type {string} */ page) => !Object.hasOwn(bin, path.basename(page, ".1")))
    .map((/** @type {string} */ page) => `${page}: package.json installs no such command`);
}

function declarationProblems(/** @type {Package} */ { files, read }) {
  const first = "dist/index.d.ts";
  if (!files.has(first)) return [];
  const reachable = reachableDeclarations(first, (file) => (files.has(file) ? read(file) : ""));
  const there = [...files].filter((file) => file.endsWith(".d.ts"));
  return [
    ...there.filter((file) => !reachable.has(file)).map((file) => `${file}: no export needs it`),
    ...[...reachable]
      .filter((file) => !files.has(file))
      .map((file) => `${file}: an export needs it, and it is not packed`),
  ];
}

/** Relative links of a text lead to files that a reader of the package has. */
function linkProblems(/** @type {Package} */ { files, read }, /** @type {string} */ file) {
  const isThere = (/** @type {string} */ name) =>
    files.has(name) || [...files].some((other) => other.startsWith(`${name}/`));
  return [...read(file).matchAll(/\]\((?![a-z]+:)([^)\s#]+)[^)]*\)/g)]
    .map(([, link]) => path.join(path.dirname(file), link).replace(/\/$/, ""))
    .filter((target) => !isThere(target))
    .map((target) => `${file}: links to ${target}, which is not packed`);
}

/** Scripts stay in the checkout: a paragraph of the README that runs one, or the one before it, says so. */
function commandProblems(/** @type {Package} */ { read }) {
  const paragraphs = read("README.md").split(/\n\n+/);
  return paragraphs
    .filter((text) => /\b(npm run|node (scripts|dist))\b/.test(text))
    .filter((text) => {
      const before = paragraphs[paragraphs.indexOf(text) - 1] ?? "";
      return !/\bcheckout\b/.test(before + text);
    })
    .map((text) => `README.md: a script that is not packed, with no word of a checkout: ${text}`);
}

/** Sources and tests are for a checkout. */
const UNPUBLISHED = /^(builder|runtime|native|scripts|test|examples|node_modules|build)\/|\.map$/;

/**
 * Problems of what would be published, and of the files that are missing those that only publishing
 * builds.
 *
 * @param {string} dir folder of package.json
 * @param {string[]} paths of the files
 */
export function problemsOf(dir, paths) {
  const read = (/** @type {string} */ file) => readFileSync(path.join(dir, file), "utf8");
  const files = new Set(paths);
  const pack = { files, read };
  const missing = neededFiles(pack).filter((file) => !files.has(file));
  const stray = paths.filter((file) => UNPUBLISHED.test(file));
  return {
    missing,
    problems: [
      ...stray.map((file) => `${file}: is not for users of the package`),
      ...pageProblems(pack),
      ...declarationProblems(pack),
      ...commandProblems(pack),
      ...paths.filter((file) => file.endsWith(".md")).flatMap((file) => linkProblems(pack, file)),
    ],
  };
}

/**
 * @param {{complete?: boolean}} options complete: what only publishing needs has been built
 */
export async function packageProblems({ complete = false } = {}) {
  if (!existsSync(path.join(root, "dist/index.js"))) return { problems: ["dist is not built"] };
  const { missing, problems } = problemsOf(root, packedFiles(root));
  const lines = missing.map((file) => `${file}: is not packed`);
  if (complete) return { problems: [...lines, ...problems] };
  const note = missing.length > 0 ? `not built: ${missing.join(", ")}` : undefined;
  return { problems, ...(note !== undefined && { note }) };
}
