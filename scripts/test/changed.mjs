// Which tests belong to the files that git says are changed: as many of them as take a minute.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { expected, measured, rank } from "./kinds.mjs";

const root = path.resolve(import.meta.dirname, "../..");

/** What the tests of one change may take; building comes on top. */
const SECONDS = 45;

/**
 * Tests by the folder or file that they try, for what no import leads to. The longest name that fits
 * decides.
 * @type {Record<string, string[]>}
 *
 * @public for its test, which imports it by its path
 */
export const belongs = {
  // Commands are tried by cases, too: see below.
  "builder/cli": ["test/unit/cli"],
  "builder/api": ["test/unit/api", "test/unit/scripts/api.test.ts"],
  "builder/config": ["test/unit/config"],
  "builder/deploy": ["test/deploy"],
  "builder/doctor": ["test/runtime/doctor.test.ts", "test/runtime/doctor-fix.test.ts"],
  "builder/engines": ["test/engines"],
  "builder/vm": ["test/vm"],
  runtime: [
    "test/runtime/start.test.ts",
    "test/runtime/options.test.ts",
    "test/runner/run.test.ts",
  ],
  "runtime/archive": ["test/runner/formats.test.ts", "test/runner/names.test.ts"],
  "runtime/base": ["test/runtime/print.test.ts", "test/security/state.test.ts"],
  "runtime/bundle": ["test/runtime/recorded.test.ts", "test/runtime/options.test.ts"],
  "runtime/bundle/image_failure.c": ["test/runtime/out-of-memory.test.ts"],
  "runtime/bundle/map.c": ["test/runtime/maps.test.ts", "test/runner/bind.test.ts"],
  "runtime/bundle/appimage.c": ["test/appimage/runtime-start.test.ts"],
  "runtime/cache": ["test/runner/cache.test.ts", "test/runtime/trees.test.ts"],
  "runtime/cache/file_state.c": ["test/runtime/file-state.test.ts", "test/runtime/trees.test.ts"],
  "runtime/cache/trees.c": ["test/runtime/trees.test.ts"],
  "runtime/cache/zip_images.c": ["test/runner/cache.test.ts"],
  "runtime/cli": ["test/runner/usage.test.ts", "test/runtime/options.test.ts"],
  "runtime/cli/appimage_options.c": ["test/appimage/runtime-options.test.ts"],
  "runtime/cli/desktop_notice.c": ["test/appimage/runtime-failures.test.ts"],
  "runtime/cli/doctor.c": ["test/runtime/doctor.test.ts"],
  "runtime/cli/extract_command.c": ["test/runtime/extract.test.ts"],
  "runtime/cli/mount_command.c": ["test/runtime/mount.test.ts"],
  "runtime/flavour": ["test/unit/host/paths.test.ts", "test/cases/index.test.ts"],
  "runtime/fuse": [
    "test/runtime/sandbox.test.ts",
    "test/runtime/start.test.ts",
    "test/runtime/damaged.test.ts",
  ],
  "runtime/fuse/fusermount.c": ["test/runner/fusermount.test.ts"],
  "runtime/kernel": ["test/runner/privileges.test.ts", "test/security/setuid.test.ts"],
  "runtime/kernel/policy.c": ["test/runner/policy.test.ts"],
  "runtime/kernel/trusted_path.c": ["test/security/paths-walk.test.ts"],
  "runtime/libc": [
    "test/runtime/print.test.ts",
    "test/runtime/libc.test.ts",
    "test/runner/usage.test.ts",
  ],
  "runtime/library": ["test/runtime/mount-library.test.ts"],
  "runtime/mount": ["test/runtime/refusal.test.ts", "test/runtime/mount.test.ts"],
  "runtime/guest": ["test/vm/guest.test.ts"],
  "runtime/process": ["test/runtime/sandbox.test.ts"],
  "runtime/root": ["test/root/start.test.ts", "test/root/hostile.test.ts"],
  "runtime/sandbox": ["test/sandbox/escapes.test.ts", "test/sandbox/words.test.ts"],
  "runtime/sandbox/choose.c": ["test/sandbox/choose.test.ts"],
  "runtime/sandbox/facts.c": ["test/sandbox/old-kernels.test.ts"],
  "runtime/share": ["test/runner/linger.test.ts", "test/runtime/share.test.ts"],
  "runtime/squashfs": ["test/unit/squashfs/image-reader.test.ts", "test/runtime/changed.test.ts"],
  "runtime/squashfs_writer": ["test/runner/archives.test.ts", "test/runner/cache.test.ts"],
  "runtime/start/fence.c": ["test/sandbox/words.test.ts", "test/sandbox/choose.test.ts"],
  "runtime/start": ["test/runtime/start.test.ts", "test/runner/static.test.ts"],
  "runtime/start/find_program.c": ["test/runner/run.test.ts"],
  "runtime/start/home.c": ["test/runner/home.test.ts"],
  "runtime/start/janitor.c": ["test/runner/fusermount.test.ts"],
  "runtime/start/cover.c": ["test/runner/bind.test.ts", "test/runner/fixed.test.ts"],
  "runtime/start/maps.c": ["test/runner/bind.test.ts", "test/runtime/maps.test.ts"],
  "runtime/start/places.c": ["test/runner/bind.test.ts", "test/runner/fixed.test.ts"],
  "runtime/start/mount_archives.c": ["test/runner/static.test.ts", "test/runner/dynamic.test.ts"],
  "runtime/start/run_directory.c": ["test/runner/fixed.test.ts"],
  "runtime/stubs": ["test/runtime/own-loader.test.ts", "test/unit/elf/own-loader.test.ts"],
  "runtime/zip": ["test/runner/archives.test.ts", "test/runner/zip-tools.test.ts"],
  native: ["test/unit/native", "test/unit/squashfs"],
  "scripts/build": ["test/unit/native", "test/runtime/start.test.ts"],
  "scripts/check": ["test/unit/scripts"],
  "scripts/generate": ["test/unit/scripts", "test/unit/generate", "test/interop/one-row.test.ts"],
  "scripts/spec": [
    "test/unit/generate",
    "test/unit/errors.test.ts",
    "test/unit/scripts/floors.test.ts",
    "test/interop/one-row.test.ts",
  ],
  "scripts/test": ["test/unit/scripts"],
  "scripts/fuzz": ["test/runtime/fuzz-targets.test.ts", "test/runtime/fuzz.test.ts"],
  "scripts/property.mjs": ["test/interop/trees.test.ts"],
  "templates/engines": ["test/engines"],
  "templates/node": ["test/runtime/node-start.test.ts", "test/runtime/node-warnings.test.ts"],
  "test/c": [
    "test/runtime/units.test.ts",
    "test/runtime/threads.test.ts",
    "test/runtime/out-of-memory.test.ts",
  ],
  "test/fuzz": ["test/runtime/fuzz-targets.test.ts", "test/runtime/fuzz.test.ts"],
  "test/vm/support": ["test/vm"],
  templates: ["test/unit/host/template.test.ts", "test/unit/appimage"],
  examples: ["test/runtime/start.test.ts", "test/unit/scripts/api.test.ts"],
  "docs/GLOSSARY.md": ["test/unit/scripts/glossary.test.ts"],
};

/** Paths that differ from a commit, or are not in git yet. */
export function changedFiles(ref = "HEAD") {
  const git = (/** @type {string[]} */ ...args) =>
    execFileSync("git", args, { cwd: root, encoding: "utf8" });
  const lists = [
    git("diff", "--name-only", "-z", "--merge-base", ref, "--"),
    git("ls-files", "--others", "--exclude-standard", "-z"),
  ];
  return [...new Set(lists.join("").split("\0"))].filter(Boolean).sort();
}

/** TypeScript below a folder, by paths from the root. */
function sources(/** @type {string} */ dir) {
  return readdirSync(path.join(root, dir), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => path.join(dir, name));
}

/**
 * Files by what they import, relative imports only.
 *
 * @returns {Map<string, string[]>}
 *
 * @public for its test, which imports it by its path
 */
export function importers() {
  const found = new Map();
  for (const file of [...sources("builder"), ...sources("test")]) {
    const text = readFileSync(path.join(root, file), "utf8");
    for (const [, name] of text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) {
      const imported = path.join(path.dirname(file), name);
      found.set(imported, [...(found.get(imported) ?? []), file]);
    }
  }
  return found;
}

const isTest = (/** @type {string} */ file) => file.endsWith(".test.ts");

/**
 * Tests that import a file, by the number of imports between; whole programs are tried elsewhere.
 *
 * @param {string[]} changed
 * @param {Map<string, string[]>} graph
 */
function byImports(changed, graph) {
  const distances = new Map(changed.map((file) => [file, 0]));
  for (const [file, distance] of distances) {
    for (const next of graph.get(file) ?? []) {
      if (!distances.has(next)) distances.set(next, distance + 1);
    }
  }
  return [...distances].filter(([file]) => isTest(file));
}

/** Test files in a folder, or the one that is named. */
function testsIn(/** @type {string} */ name) {
  if (!statSync(path.join(root, name)).isDirectory()) return [name];
  return sources(name).filter(isTest);
}

function byFolder(/** @type {string} */ file) {
  const fits = Object.keys(belongs).filter((name) => file === name || file.startsWith(`${name}/`));
  // A header goes with its source.
  const source = file.replace(/\.h$/, ".c");
  if (belongs[source]) fits.push(source);
  const name = fits.sort((a, b) => b.length - a.length)[0];
  return name === undefined ? [] : belongs[name].flatMap(testsIn);
}

/** `test/unit` mirrors the builder. */
const mirrorOf = (/** @type {string} */ file) =>
  file.replace(/^builder\/(.*)\.ts$/, "test/unit/$1.test.ts");

/** `test/cases/NAME/...` is the test of that name; the names of a command's cases begin with the command's. */
function caseOf(/** @type {string} */ file) {
  const [, command] = /^builder\/cli\/commands\/(\w+)-command\.ts$/.exec(file) ?? [];
  const hasCases = readdirSync(path.join(root, "test/cases")).some((one) =>
    one.startsWith(`${command}-`),
  );
  if (command && hasCases) return { file: "test/cases/index.test.ts", name: `${command}-` };
  const [, index, name] = /^(test\/cases(?:\/apps)?)\/([^/.]+)\/./.exec(file) ?? [];
  return index && name !== "apps" ? { file: `${index}/index.test.ts`, name } : undefined;
}

/**
 * @param {string[]} changed paths from the root
 * @returns {{files: string[], left: string[], cases: {file: string, name: string}[]}} tests to run,
 *   the closest first; tests for which the time is too short; single cases
 */
export function testsOf(changed, times = measured(), graph = importers()) {
  const cases = changed.flatMap((file) => caseOf(file) ?? []);
  const others = changed.filter((file) => !file.startsWith("test/cases/") || !caseOf(file));
  const distances = new Map(byImports(others, graph));
  for (const file of [...others.flatMap(byFolder), ...others.map(mirrorOf)]) distances.set(file, 0);
  const wanted = [...distances]
    .filter(([file]) => isTest(file) && existsSync(path.join(root, file)))
    .sort(
      ([a, x], [b, y]) =>
        x - y || rank(a) - rank(b) || expected(a, times) - expected(b, times) || (a < b ? -1 : 1),
    );
  const files = [];
  const left = [];
  let room = SECONDS;
  for (const [file] of wanted) {
    const seconds = expected(file, times);
    // A changed test runs whatever it takes, and so does the closest one: something has to.
    if (seconds <= room || changed.includes(file) || files.length === 0) {
      files.push(file);
      room -= seconds;
    } else left.push(file);
  }
  return { files, left, cases };
}
