/**
 * Functions and classes that a bundle calls by another name, by the source that has them.
 *
 * The source map has a name where the output has another. A class at the top of a file that names itself
 * inside is a class `_Job` in a variable `Job`; the map does not tell that, the output does.
 */
import path from "node:path";
import { ASSIGNED, GAP } from "./names.ts";

interface SourceMap {
  mappings?: string;
  names?: string[];
  sources?: string[];
}

/** Where a source has a name: its line and column from 0, in UTF-16 units. */
interface Place {
  line: number;
  column: number;
  name: string;
}

/** A source that brings a map of its own: what the bundler says of it are names of what it was made of. */
const OWN_MAP = /[#@]\s*sourceMappingURL=/;

const DECLARING = new RegExp(`\\b(?:function|class)(?:${GAP}|\\*)*$`);
const ASSIGNING = new RegExp(`^${ASSIGNED}`);
/** The bundler's own line in front of what a source has become. */
const MARKER = /^\/\/ (.+)$/gm;
/** How far around a name it is looked at, characters. */
const AROUND = 200;

/** Sources of an output, absolute, and the folder that the bundler shows them relative to. */
export interface Sources {
  dir: string;
  files: readonly string[];
}

export class Renamed {
  readonly #output: string;
  readonly #places = new Map<string, Place[]>();
  readonly #sources: Sources;
  #parts: Map<string, string> | undefined;
  /** Matches where a class is declared that may have become a variable. */
  readonly #classHead: RegExp | undefined;

  /**
   * @param output absolute path of the output, which the sources of its map are relative to
   * @param sources what is in it
   */
  constructor(output: string, code: Uint8Array, map: Uint8Array, sources: Sources) {
    this.#sources = sources;
    this.#output = Buffer.from(code.buffer, code.byteOffset, code.byteLength).toString();
    const classes = new Set<string>();
    for (const [, name = ""] of this.#output.matchAll(/\bclass _((?:[\w$]|[^\0-\x7f])+)/g)) {
      // Where `_Job` is taken it is `_Job2`.
      classes.add(name).add(name.replace(/\d+$/, ""));
    }
    classes.delete("");
    if (classes.size > 0) {
      const names = [...classes].map((name) => name.replaceAll("$", "\\$")).join("|");
      this.#classHead = new RegExp(`\\bclass${GAP}+(?:${names})(?![\\w$])`);
    }
    this.#note(path.dirname(output), JSON.parse(Buffer.from(map).toString() || "{}") as SourceMap);
  }

  #note(dir: string, { mappings = "", names = [], sources = [] }: SourceMap): void {
    if (names.length === 0) return;
    const places = sources.map((source) => {
      const file = path.resolve(dir, source);
      const found = this.#places.get(file) ?? [];
      this.#places.set(file, found);
      return found;
    });
    for (const { source, line, column, name } of namedPlaces(mappings))
      places[source]?.push({ line, column, name: names[name] ?? "" });
  }

  /** Names that are others and may be those of functions and classes of a source. */
  of(file: string, text: string): ReadonlySet<string> {
    if (OWN_MAP.test(text)) return withoutNumbers(this.#part(file));
    const places = this.#places.get(file) ?? [];
    return declaredAt(text, places) ?? new Set(places.map(({ name }) => name));
  }

  /** What a source has become; the whole output where that is not certain. */
  #part(file: string): string {
    this.#parts ??= partsOf(this.#output, this.#sources);
    return this.#parts.get(file) ?? this.#output;
  }

  /** Whether a class of this source may be one that became a variable. */
  hasClass(text: string): boolean {
    return this.#classHead?.test(text) === true;
  }
}

/** The output by source; nothing where a line may be the bundler's or the text of some source. */
function partsOf(output: string, { dir, files }: Sources): Map<string, string> {
  const known = new Set(files);
  const markers = [...output.matchAll(MARKER)]
    .map(({ index, 1: shown = "" }) => ({ index, file: path.resolve(dir, shown) }))
    .filter(({ file }) => known.has(file));
  const parts = new Map(
    markers.map(({ file, index }, i) => [file, output.slice(index, markers[i + 1]?.index)]),
  );
  return parts.size === markers.length ? parts : new Map();
}

/** A name that is taken gets a number: what all names with one may have been. */
function withoutNumbers(output: string): ReadonlySet<string> {
  const found = new Set<string>();
  const names = /(?<![\w$]|[^\0-\x7f])((?:[\w$]|[^\0-\x7f])*?)(\d+)(?![\w$]|[^\0-\x7f])/g;
  for (const [, name = "", number = ""] of output.matchAll(names)) {
    if (name === "") continue;
    for (let digits = 0; digits < number.length; digits++)
      found.add(name + number.slice(0, digits));
  }
  return found;
}

/** Digits of base64 by their character. */
const DIGITS = new Uint8Array(128);
for (const [i, digit] of [
  ..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
].entries())
  DIGITS[digit.charCodeAt(0)] = i;

/**
 * The places of a map (https://tc39.es/ecma426/) that have a name. A decoder of all of them costs several
 * times as much, because it makes a list of each.
 */
function* namedPlaces(mappings: string) {
  const sums = [0, 0, 0, 0, 0];
  let field = 0;
  let value = 0;
  let shift = 0;
  for (let i = 0; i <= mappings.length; i++) {
    const code = i < mappings.length ? mappings.charCodeAt(i) : 0x2c;
    if (code === 0x2c || code === 0x3b) {
      const [, source = 0, line = 0, column = 0, name = 0] = sums;
      if (field === 5) yield { source, line, column, name };
      field = 0;
      continue;
    }
    const digit = DIGITS[code] ?? 0;
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    sums[field] = (sums[field] ?? 0) + (value & 1 ? -(value >>> 1) : value >>> 1);
    field++;
    value = 0;
    shift = 0;
  }
}

/** Those that stand where something gets its name; undefined for a text that has other places. */
function declaredAt(text: string, places: readonly Place[]): Set<string> | undefined {
  const found = new Set<string>();
  if (places.length === 0) return found;
  const lines = [0];
  for (const { index, 0: end } of text.matchAll(/\r\n|[\r\n\u2028\u2029]/g))
    lines.push(index + end.length);
  for (const { line, column, name } of places) {
    const at = (lines[line] ?? 0) + column;
    if (!text.startsWith(name, at)) return undefined;
    if (found.has(name)) continue;
    const behind = at + name.length;
    const before = text.slice(Math.max(0, at - AROUND), at);
    const mayDeclare = before.includes("function") || before.includes("class");
    const declares =
      (mayDeclare && DECLARING.test(before)) || ASSIGNING.test(text.slice(behind, behind + AROUND));
    if (declares) found.add(name);
  }
  return found;
}
