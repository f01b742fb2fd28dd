// The ways to make an image visible (strategies.json), for TypeScript, C and the other descriptions.
//
// They stand in the order in which they are tried. `host`: it can leave a mount on the host. `shared`:
// later starts share its mount, and the last letter of its name tells them which one it is.

import { orList } from "./words.mjs";

/** @import {Strategy} from "./types.mts" */

/** Letters that say something else to starts that share a mount: runtime/share/share.h. */
const TAKEN = ["x"];

export function checkStrategies(/** @type {Strategy[]} */ strategies) {
  const letters = strategies.filter(({ shared }) => shared).map(({ name }) => name.at(-1) ?? "");
  for (const [index, letter] of letters.entries()) {
    if (TAKEN.includes(letter) || letters.indexOf(letter) !== index) {
      throw new Error(`strategies.json: the letter ${letter} of a shared strategy is taken`);
    }
  }
}

/** "auto" and the names, for a start and for a mount of the host's. */
export function mountTypes(/** @type {Strategy[]} */ strategies) {
  const names = (/** @type {Strategy[]} */ list) => ["auto", ...list.map(({ name }) => name)];
  return {
    mountTypes: names(strategies),
    hostMountTypes: names(strategies.filter(({ host }) => host)),
  };
}

/**
 * Parses another description: "{mountTypes}" and "{hostMountTypes}" become the list as `choices` and
 * words elsewhere, with "default" behind auto and "code" around each where that follows in the braces.
 *
 * @param {string} text
 * @param {Strategy[]} strategies
 */
export function parseWithStrategies(text, strategies) {
  /** @type {Record<string, string[]>} */
  const types = mountTypes(strategies);
  /** @param {string[]} list @param {string} [isDefault] @param {string} [code] */
  const words = (list, isDefault, code) =>
    orList(
      list.map((name) => {
        const shown = code ? `\`${name}\`` : name;
        return isDefault && name === "auto" ? `${shown} (default)` : shown;
      }),
    );
  return JSON.parse(text, (key, value) => {
    if (typeof value !== "string") return value;
    if (key === "choices") return types[value.slice(1, -1)] ?? value;
    return value.replaceAll(
      /\{(mountTypes|hostMountTypes)( default)?( code)?\}/g,
      (_, which, isDefault, code) => words(types[which], isDefault, code),
    );
  });
}

/** Of the generated header. */
export function strategiesC(/** @type {Strategy[]} */ strategies) {
  const types = mountTypes(strategies);
  const rows = strategies.map(
    ({ name, summary, shared, host }) => `\tX(${name}, ${+shared}, ${+host}) /* ${summary} */`,
  );
  return `/*
 * Ways to make an image visible, in the order in which they are tried: X(name, shared, host). \`shared\`:
 * later starts share its mount, and are told so by its first letter. \`host\`: it can leave a mount on the
 * host.
 */
#define FUSELAGE_STRATEGIES(X) \\
${rows.join(" \\\n")}

#define FUSELAGE_HOST_MOUNT_TYPES ${JSON.stringify(orList(types.hostMountTypes))}
`;
}
