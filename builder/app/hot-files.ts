/** Large files that every start needs, which starts keep decompressed: docs/format.md, KEEP. */
import { createHash } from "node:crypto";
import picomatch from "picomatch";
import { manifestFormat } from "../generated/spec.ts";
import { learnedBy } from "../host/learned.ts";
import type { KeptFile } from "../manifest/kept-file.ts";
import { belowRoot } from "../tree/exclusion.ts";
import { type Contents, contentSize, type FileNode } from "../tree/node.ts";
import { displayPath } from "../tree/path.ts";
import { readContents } from "../tree/read-contents.ts";
import { type Warning, warning } from "../warnings.ts";
import type { App } from "./kind.ts";

/** Bytes from which on a program that the builder put in is worth a copy on the disk. */
const WORTH = 16 << 20;

/** Set-id and sticky bits, and others than the owner who may write. */
const NOT_KEPT = 0o7022;

/** The value of the option that keeps nothing. */
const KEEP_NONE = "none";

export interface HotFiles {
  files: readonly KeptFile[];
  warnings: readonly Warning[];
}

/**
 * What a bundle records of them.
 *
 * @param globs what the user wants kept; undefined: what the kind of app names, where it is large
 * @throws E_FILE_UNREADABLE, E_FILE_CHANGED
 */
export async function hotFiles(app: App, globs: readonly string[] | undefined): Promise<HotFiles> {
  const candidates = [...wanted(app, globs ?? [])];
  const kept = globs ? candidates : (app.hot ?? []).flatMap((path) => named(app, path));
  const files: KeptFile[] = [];
  for (const [path, node] of kept) {
    if ((node.mode & NOT_KEPT) !== 0 || node.xattrs.length > 0) continue;
    const digest = await digestOf(app, path, node);
    if (digest !== undefined) files.push({ path, size: contentSize(node.contents), digest });
  }
  return {
    files: files.slice(0, manifestFormat.maxKept),
    warnings: globs ? notKept(globs, kept, files) : [],
  };
}

/** One line for people. */
export function explainKept({ path, size }: KeptFile): string {
  return `kept: ${displayPath(path)} (${(size / 1e6).toFixed(1)} MB), decompressed in the user's cache`;
}

function* wanted(app: App, globs: readonly string[]): Generator<[string, FileNode]> {
  if (globs.length === 0 || globs.includes(KEEP_NONE)) return;
  const matches = picomatch(
    globs.map((glob) => belowRoot(glob) || "."),
    { dot: true },
  );
  for (const { path, node } of app.tree.walk()) {
    if (node.kind !== "file" || contentSize(node.contents) === 0) continue;
    if (matches(displayPath(path))) yield [path, node];
  }
}

function named(app: App, path: string): [string, FileNode][] {
  const node = app.tree.get(path);
  return node?.kind === "file" && contentSize(node.contents) >= WORTH ? [[path, node]] : [];
}

/** Of what will be in the image; undefined where nobody can say, in an image that is taken over. */
async function digestOf(app: App, path: string, { contents }: FileNode) {
  if (contents.from === "memory") {
    return createHash("sha256").update(contents.bytes).digest("hex");
  }
  if (contents.from === "image") return app.kept?.find((file) => file.path === path)?.digest;
  const known = contents.from === "disk" ? contents.digest : undefined;
  if (known === undefined) return hashed(contents);
  // That of changed contents is no digest of what is packed.
  if (contents.from !== "disk" || contents.change === undefined) return known;
  return learnedBy(import.meta.url).value(["sha256", known], () => hashed(contents));
}

async function hashed(contents: Contents): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of readContents(contents)) hash.update(part);
  return hash.digest("hex");
}

function notKept(
  globs: readonly string[],
  found: readonly [string, FileNode][],
  files: readonly KeptFile[],
): Warning[] {
  if (globs.includes(KEEP_NONE)) return [];
  const kept = new Set(files.slice(0, manifestFormat.maxKept).map(({ path }) => path));
  const left = found.filter(([path]) => !kept.has(path)).map(([path]) => displayPath(path));
  const messages = [
    ...(found.length === 0
      ? [`${globs.join(", ")} is to be kept by starts and matches no file`]
      : []),
    ...(left.length > 0
      ? [
          `${left.join(", ")} is not kept by starts: expected at most ${manifestFormat.maxKept} files that have no attributes, no set-id bits and no other writers`,
        ]
      : []),
  ];
  return messages.map((message) => warning("W_KEEP_HOT", message));
}
