/**
 * References to several files at once: folders, names with a part that is an expression, globs and
 * templates in strings (`entity/*.js`, `locales/{{lng}}.json`).
 *
 * The tracer finds them in the sources. It would also look for the files by itself, but it leaves out
 * READMEs and names that are not UTF-8, does not look behind links, and knows no patterns in strings. So
 * it is told that nothing is there, and the folders are looked at here.
 */
import { statSync } from "node:fs";
import { stat } from "node:fs/promises";
import path from "node:path";
import type { NodeFileTraceOptions } from "@vercel/nft";
import picomatch from "picomatch";
import { linkStatusOf, statusOf } from "../../host/status.ts";
import { treeFromDirectory } from "../../input/add-directory.ts";
import { byteString } from "../../tree/path.ts";
import { SCRIPT } from "./node-entry.ts";

/** Parts of a name that stand for others: of a glob, or of a template. */
const PATTERN = /[*{]|%[sd]/;

export interface Reference {
  /** Folder of the host. */
  dir: string;
  /** Below it; undefined for all that it holds. */
  glob: string | undefined;
  /** Whether the pattern is one of the source, and not made of an expression in it. */
  isLiteral: boolean;
}

/** What the tracer is given in place of its own look at the disk. */
export class ReferenceList {
  readonly all: Reference[] = [];
  readonly #literal = new Set<string>();

  /** Names with a pattern, and links to nothing, are told to be files, so that they are reported. */
  readonly stat: NonNullable<NodeFileTraceOptions["stat"]> = async (file) => {
    const stats = await stat(file).catch(() => null);
    if (stats !== null) return stats;
    if (linkStatusOf(file) !== undefined) return fileStatus;
    if (!PATTERN.test(file)) return null;
    this.#literal.add(file);
    return fileStatus;
  };

  /** Takes over what names several files. */
  readonly ignore = (name: string): boolean => {
    const file = `/${name}`;
    // Its mark for an expression, in a name that is not complete yet; and what `require` may append.
    if (file.includes("\x1a") || file.includes("?(") || !PATTERN.test(file)) return false;
    if (linkStatusOf(file) !== undefined) return false;
    let dir = path.dirname(file);
    while (!statusOf(dir)?.isDirectory()) dir = path.dirname(dir);
    const rest = file.slice(dir.length).replace(/^\/+/, "");
    const isLiteral = this.#literal.has(file);
    const glob = rest === "**/*" && !isLiteral ? undefined : globOf(rest, isLiteral);
    this.all.push({ dir, glob, isLiteral });
    return true;
  };
}

/** A regular file that the process can always look at. */
const fileStatus = { ...statSync(process.execPath), isFile: () => true, isDirectory: () => false };

/**
 * The glob for a name with a pattern.
 *
 * @param isLiteral whether it is a string of the source; else all but `*` means itself
 * @internal
 */
export function globOf(pattern: string, isLiteral: boolean): string {
  if (!isLiteral) return pattern.replace(/[?[\]{}()!+@|\\]/g, "\\$&");
  return pattern
    .replace(/\{\{[^{}]*\}\}|%[sd]|%\{[^{}]*\}|\$\{[^{}]*\}/g, "*")
    .replace(/\{([^{},]*)\}/g, (whole, inside: string) => (inside.includes("..") ? whole : "*"));
}

/** What a reference means. */
export interface Referred {
  /** Absolute byte strings: of the folder where all of it is meant. */
  assets: string[];
  /** Scripts among them: absolute. */
  scripts: string[];
}

/** Looks for the files of a reference; installed packages below the folder are not meant. */
export async function filesOf({ dir, glob }: Reference): Promise<Referred> {
  const exclude = ["node_modules", "**/node_modules", ".git"];
  const folder = await treeFromDirectory(dir, { exclude, empty: true, anything: true });
  const matches = glob === undefined ? () => true : picomatch(glob, { dot: true });
  const found: Referred = { assets: glob === undefined ? [byteString(dir)] : [], scripts: [] };
  for (const { path: name, node } of folder.walk()) {
    const text = Buffer.from(name, "latin1").toString("utf8");
    if (node.kind === "directory" || !matches(text)) continue;
    if (glob !== undefined) found.assets.push(`${byteString(dir)}/${name}`);
    if (node.kind === "file" && SCRIPT.test(text)) found.scripts.push(path.join(dir, text));
  }
  return found;
}
