// What many commands of the builder have in common is loaded by all of them, so that it lies in few files.
//
// esbuild puts what the same set of entry points needs into one file. With an entry for each command that
// makes some fifty files for the larger ones, which Node opens at once: slowly, and not at all where the
// limit of descriptors is low. What a command does not need of the common files is read, and does nothing.

import { readFile } from "node:fs/promises";
import path from "node:path";

/** Commands that need a file, from which on all have it. Fewer load more, and more make more files. */
const COMMON = 6;

const commandFile = /builder\/cli\/commands\/[a-z-]+-command\.ts$/;

/** @typedef {import("esbuild").Metafile} Metafile */

/**
 * @param {Metafile["inputs"]} inputs
 * @param {string} entry
 * @returns {Set<string>} files that come with an entry
 */
function neededBy(inputs, entry) {
  const needed = new Set([entry]);
  for (const file of needed) {
    for (const one of inputs[file]?.imports ?? []) {
      if (one.kind === "import-statement" && !one.external) needed.add(one.path);
    }
  }
  return needed;
}

/**
 * Sources that many commands need.
 *
 * @param {Metafile} metafile of a build with a file for each command
 * @returns {string[]} sorted, relative to the root
 */
export function commonFiles({ inputs }) {
  /** @type {Map<string, number>} */
  const uses = new Map();
  for (const entry of Object.keys(inputs).filter((file) => commandFile.test(file))) {
    for (const file of neededBy(inputs, entry)) uses.set(file, (uses.get(file) ?? 0) + 1);
  }
  return [...uses]
    .filter(([, count]) => count >= COMMON)
    .map(([file]) => file)
    .sort();
}

/**
 * Lets every command import files beside its own.
 *
 * @param {string} root
 * @param {readonly string[]} files relative to it
 * @returns {import("esbuild").Plugin}
 */
export function importedByAll(root, files) {
  const imports = files
    .map((file) => `import ${JSON.stringify(path.join(root, file))};\n`)
    .join("");
  return {
    name: "common files",
    setup(build) {
      build.onLoad({ filter: commandFile }, async ({ path: file }) => ({
        contents: `${await readFile(file, "utf8")}\n${imports}`,
        loader: "ts",
      }));
    },
  };
}
