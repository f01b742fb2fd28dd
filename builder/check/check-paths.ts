/** What a manifest and symbolic links lead to. */
import { posix } from "node:path";
import { everyTargetHas } from "../app/target-programs.ts";
import { type FolderMap, imagePlaces, pathInImage } from "../manifest/folder-map.ts";
import { BUNDLE_DIR, fromBytes, type Manifest } from "../manifest/manifest.ts";
import { byteString, displayPath } from "../tree/path.ts";
import { type Resolution, resolvePath } from "../tree/resolve.ts";
import type { Tree } from "../tree/tree.ts";
import { type Warning, warning } from "../warnings.ts";
import type { Bundle } from "./check-tree.ts";

/** As many as the kernel follows. */
const MAX_LINKS = 40;

export function checkPaths({ tree, manifest, declared }: Bundle): Warning[] {
  const places = imagePlaces(manifest?.mountAt, manifest?.maps ?? []);
  const problemOf = (at: string) => pathProblem(tree, at, declared, places);
  const findings: Warning[] = [];
  for (const [shown, at] of recordedPaths(manifest)) {
    const what = problemOf(at);
    if (what !== undefined)
      findings.push(finding(`${shown} names ${displayPath(at)}, which ${what}`));
  }
  const links = new Map<string, string[]>();
  for (const { path: at, node } of tree.walk()) {
    const what = node.kind === "symlink" ? problemOf(at) : undefined;
    if (what !== undefined) links.set(what, [...(links.get(what) ?? []), displayPath(at)]);
  }
  for (const [what, [first, ...more]] of links) {
    const others = more.length === 0 ? "" : ` (and so do ${more.length} more)`;
    findings.push(finding(`the link ${first} ${what}${others}`));
  }
  return findings;
}

const finding = (message: string) => warning("W_PATH_MISSING", message);

/** Paths in the image, byte strings, with where they are recorded. */
function recordedPaths(manifest: Manifest | undefined): [string, string][] {
  if (manifest === undefined) return [];
  const { entry, args, env, envDefault = [], envPrepend = [], envAppend = [], writable } = manifest;
  const paths: [string, string][] = entry === undefined ? [] : [["the manifest", entry]];
  // In a writable copy the app may make what is not there yet.
  if (writable === true) return paths;
  const texts: [string, string][] = [
    ...args.map((arg): [string, string] => ["an argument", fromBytes(arg)]),
    ...[...env, ...envDefault, ...envPrepend, ...envAppend].map((one): [string, string] => [
      `the variable ${displayPath(one.split("=")[0] ?? "")}`,
      fromBytes(one),
    ]),
  ];
  for (const [shown, text] of texts) {
    for (const part of text.split(BUNDLE_DIR).slice(1)) {
      const [, at] = /^\/([^:,;\s'"]+)/.exec(part) ?? [];
      if (at !== undefined) paths.push([shown, byteString(at)]);
    }
  }
  return paths;
}

/** What is wrong with a path of the tree, as the end of a sentence; undefined when nothing is. */
function pathProblem(
  tree: Tree,
  at: string,
  declared: readonly string[],
  places: readonly FolderMap[],
): string | undefined {
  const resolved = followed(tree, at, places);
  if ("found" in resolved) return undefined;
  if ("loop" in resolved) return "leads in a circle";
  if ("missing" in resolved) return "leads to nothing in the image";
  const { target, outside } = resolved;
  if (target === undefined) return `leads out of the image ${outside}`;
  const shown = displayPath(target);
  return everyTargetHas(shown, declared) ? undefined : `leads to ${shown} of the target`;
}

/** A link out of the image may lead to where a folder of it appears. */
function followed(tree: Tree, at: string, places: readonly FolderMap[]): Resolution {
  let resolved = resolvePath(tree, at);
  for (let links = 0; links < MAX_LINKS; links++) {
    const target = "outside" in resolved ? resolved.target : undefined;
    const inside = target && pathInImage(posix.normalize(target), places);
    if (inside === undefined) return resolved;
    resolved = resolvePath(tree, inside);
  }
  return { loop: true };
}
