// Declarations of types: which of them a user of the package gets to.

import path from "node:path";

/** Files that a declaration imports, under the names that they have when they are built. */
function importedDeclarations(/** @type {string} */ file, /** @type {string} */ text) {
  return [...text.matchAll(/\b(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, name]) =>
    path.join(path.dirname(file), name.replace(/(\.d)?\.[jt]s$/, ".d.ts")),
  );
}

/**
 * What `first` imports, and what that imports; `first` too.
 *
 * @param {string} first
 * @param {(file: string) => string} read
 * @returns {Set<string>}
 */
export function reachableDeclarations(first, read) {
  const found = new Set([first]);
  for (const file of found) {
    for (const next of importedDeclarations(file, read(file))) found.add(next);
  }
  return found;
}
