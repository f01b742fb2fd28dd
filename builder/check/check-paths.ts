/** What a manifest and symbolic links lead to. */
import { everyTargetHas } from "../app/target-programs.ts";
import { BUNDLE_DIR, fromBytes, type Manifest } from "../manifest/manifest.ts";
import { byteString, displayPath } from "../tree/path.ts";
import { resolvePath } from "../tree/resolve.ts";
import type { Tree } from "../tree/tree.ts";
import { type Warning, warning } from "../warnings.ts";
import type { Bundle } from "./check-tree.ts";

export function checkPaths({ tree, manifest, declared }: Bundle): Warning[] {
  const findings: Warning[] = [];
  for (const [shown, at] of recordedPaths(manifest)) {
    const what = problemOf(tree, at, declared);
    if (what !== undefined)
      findings.push(finding(`${shown} names ${displayPath(at)}, which ${what}`));
  }
  const links = new Map<string, string[]>();
  for (const { path: at, node } of tree.walk()) {
    const what = node.kind === "symlink" ? problemOf(tree, at, declared) : undefined;
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
function problemOf(tree: Tree, at: string, declared: readonly string[]): string | undefined {
  const resolved = resolvePath(tree, at);
  if ("found" in resolved) return undefined;
  if ("loop" in resolved) return "leads in a circle";
  if ("missing" in resolved) return "leads to nothing in the image";
  const { target, outside } = resolved;
  if (target === undefined) return `leads out of the image ${outside}`;
  const shown = displayPath(target);
  return everyTargetHas(shown, declared) ? undefined : `leads to ${shown} of the target`;
}
