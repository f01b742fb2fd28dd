// The order of imports and includes. scripts/spec/floors.json has the rooms from the ground up: a file
// names what stands in its own room, on its own floor or below, never what stands above. And nothing
// goes in a circle: rooms of one floor do not name each other both ways, nor do headers of C. Circles of
// TypeScript and JavaScript files are found by Biome (noImportCycles).

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { readFloors } from "../generate/floors.mjs";

const projectRoot = path.resolve(import.meta.dirname, "../..");

/** @typedef {import("../generate/floors.mjs").Floors} Floors */

const importsOf = (/** @type {string} */ text, /** @type {string} */ dir) =>
  [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"(\.[^"]+)"/g)].map(([, name]) =>
    path.posix.join(dir, String(name)),
  );

const includesOf = (/** @type {string} */ text) =>
  [...text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)].map(([, name]) => String(name));

/**
 * Which files are looked at, and what they name.
 * @type {Record<string, {files: RegExp, names: (text: string, dir: string) => string[]}>}
 */
const languages = {
  builder: { files: /\.ts$/, names: importsOf },
  runtime: { files: /\.[ch]$/, names: includesOf },
  scripts: { files: /\.mjs$/, names: importsOf },
};

/** The room of a file: its first folder, or its own name where it stands in none. */
const roomOf = (/** @type {string} */ file) => String(file.split("/")[0]).replace(/\.\w+$/, "");

/**
 * What each file of a folder names.
 * @param {string} folder absolute
 * @param {{files: RegExp, names: (text: string, dir: string) => string[]}} language
 * @returns {Map<string, string[]>}
 */
function namesByFile(folder, language) {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return new Map(
    files
      .filter((file) => language.files.test(file))
      .map((file) => {
        const text = readFileSync(path.join(folder, file), "utf8");
        const named = language.names(text, path.posix.dirname(file));
        // What leads out of the folder is another language's, or made by a build.
        return [file, named.filter((to) => !to.startsWith("../"))];
      }),
  );
}

/** Each naming of one file by another. @returns {[string, string][]} */
const pairs = (/** @type {Map<string, string[]>} */ namesOf) =>
  [...namesOf].flatMap(([file, names]) =>
    names.map((to) => /** @type {[string, string]} */ ([file, to])),
  );

/**
 * One circle, if there is any.
 * @param {Iterable<[string, string]>} edges
 * @returns {string[] | undefined} its members in order, the first one again at the end
 */
export function circle(edges) {
  /** @type {Map<string, string[]>} */
  const next = new Map();
  for (const [from, to] of edges) next.set(from, [...(next.get(from) ?? []), to]);
  const done = new Set();
  /** @type {(at: string, trail: string[]) => string[] | undefined} */
  const follow = (at, trail) => {
    if (trail.includes(at)) return [...trail.slice(trail.indexOf(at)), at];
    if (done.has(at)) return undefined;
    for (const to of next.get(at) ?? []) {
      const found = follow(to, [...trail, at]);
      if (found) return found;
    }
    done.add(at);
    return undefined;
  };
  for (const start of next.keys()) {
    const found = follow(start, []);
    if (found) return found;
  }
  return undefined;
}

/**
 * @param {string} folder such as "runtime"
 * @param {Floors} order
 * @param {Map<string, string[]>} namesOf what each file names
 */
function orderProblems(folder, { floors }, namesOf) {
  const problems = [];
  const floorOf = new Map(
    floors.flatMap((rooms, floor) => Object.keys(rooms).map((room) => [room, floor])),
  );
  const rooms = new Set([...namesOf].flatMap(([file, names]) => [file, ...names].map(roomOf)));
  for (const room of rooms) {
    if (!floorOf.has(room)) problems.push(`floors.json: ${folder}/${room} stands on no floor`);
  }
  for (const room of floorOf.keys()) {
    if (!rooms.has(room)) problems.push(`floors.json: there is no ${folder}/${room}`);
  }
  /** @type {Map<string, string[]>} */
  const upwards = new Map();
  /** @type {[string, string][]} */
  const level = [];
  for (const [file, to] of pairs(namesOf)) {
    const [from, target] = [roomOf(file), roomOf(to)];
    const height = Number(floorOf.get(target)) - Number(floorOf.get(from));
    if (height > 0) {
      const step = `${from} -> ${target}`;
      upwards.set(step, [...(upwards.get(step) ?? []), `${folder}/${file} names ${to}`]);
    } else if (height === 0 && from !== target) level.push([from, target]);
  }
  for (const [step, where] of upwards) {
    problems.push(`${folder}: ${step} is a step upwards: ${where.join(", ")}`);
  }
  const found = circle(level);
  if (found) problems.push(`${folder}: rooms go in a circle: ${found.join(" -> ")}`);
  return problems;
}

/** @returns {string[]} steps upwards and circles */
export function floorProblems(root = projectRoot) {
  return Object.entries(readFloors(root)).flatMap(([folder, order]) => {
    const language = languages[folder];
    if (language === undefined) return [`floors.json: nobody knows the imports of ${folder}`];
    const namesOf = namesByFile(path.join(root, folder), language);
    const problems = orderProblems(folder, order, namesOf);
    const found = language.names === includesOf ? circle(pairs(namesOf)) : undefined;
    if (found) problems.push(`${folder}: includes go in a circle: ${found.join(" -> ")}`);
    return problems;
  });
}
