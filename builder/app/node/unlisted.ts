/**
 * Installed packages that an app uses although no package.json lists them. Node finds what is there:
 * what was hoisted for somebody else, what a generator put into a folder `.NAME`, and in a folder
 * without a package.json everything.
 */
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { isBuiltin } from "node:module";
import path from "node:path";
import { statusOf } from "../../host/status.ts";
import { treeFromDirectory } from "../../input/add-directory.ts";
import { contentSize } from "../../tree/node.ts";
import { addClosure, type Closure, findPackage } from "./installed.ts";
import { SCRIPT } from "./node-entry.ts";
import { installedPackage, type PackageReader, packageName } from "./package.ts";
import { packageFits, type Target } from "./target.ts";

interface Project {
  dir: string;
  /** Globs of what is not packed. */
  exclude: readonly string[];
  target: Target;
}

/** Words in front of the name of a package, and any call where `require` has other names. */
const NAMED = /(?:\b(?:require|import|resolve)\s*\(\s*|\bfrom\s*|\bimport\s*)(["'`])([^"'`\n]+)\1/g;
const CALLED = /[\w$)]\s*\(\s*(["'`])([^"'`\n]+)\1/g;

/** Larger ones are data, bytes. */
const MAX_SOURCE = 4 << 20;

/** Adds them to what is packed. */
export async function addUnlisted(
  reader: PackageReader,
  closure: Closure,
  project: Project,
): Promise<void> {
  const { dir, target } = project;
  const json = await reader.read(dir);
  const all = json === undefined && isFolder(path.join(dir, "node_modules"));
  const found = all ? installedIn(dir) : await namedBySources(project);
  const development = new Set(Object.keys(json?.devDependencies ?? {}));
  for (const { place, name } of found) {
    const owner = realpathSync(place);
    if (closure.packages.has(owner)) closure.places.add(place);
    else if (!development.has(name) && packageFits((await reader.read(owner)) ?? {}, target)) {
      closure.places.add(place);
      await addClosure(reader, closure, owner, target);
    }
  }
  for (const owner of await generatedBeside(reader, closure))
    await addClosure(reader, closure, owner, target);
}

interface Place {
  /** In a node_modules, perhaps a link. */
  place: string;
  name: string;
}

function installedIn(dir: string): Place[] {
  const modules = path.join(dir, "node_modules");
  return foldersIn(modules).flatMap((name): Place[] => {
    const place = path.join(modules, name);
    if (name.startsWith(".")) return [];
    if (!name.startsWith("@")) return [{ place, name }];
    return foldersIn(place).map((part) => ({
      place: path.join(place, part),
      name: `${name}/${part}`,
    }));
  });
}

/** Names of folders and links to folders; none where there is no such folder. */
function foldersIn(dir: string): string[] {
  if (!isFolder(dir)) return [];
  return readdirSync(dir).filter((name) => isFolder(path.join(dir, name)));
}

const isFolder = (file: string) => statusOf(file)?.isDirectory() === true;

async function namedBySources({ dir, exclude }: Project): Promise<Place[]> {
  const never = ["node_modules", "**/node_modules", ".git"];
  const sources = await treeFromDirectory(dir, { exclude: [...never, ...exclude], empty: true });
  const found = new Map<string, Place>();
  for (const { path: name, node } of sources.walk()) {
    const file = path.join(dir, Buffer.from(name, "latin1").toString("utf8"));
    if (node.kind !== "file" || !SCRIPT.test(file)) continue;
    if (contentSize(node.contents) > MAX_SOURCE) continue;
    for (const wanted of namesIn(readFileSync(file, "utf8"))) {
      const place = findPackage(path.dirname(file), wanted)?.place;
      if (place !== undefined) found.set(place, { place, name: wanted });
    }
  }
  return [...found.values()];
}

/** Names of packages that a source asks for by any name of `require`; some may be other words. */
export function namesIn(text: string): Set<string> {
  const calls = text.includes("createRequire") ? text.matchAll(CALLED) : [];
  const names = new Set<string>();
  for (const [, , specifier = ""] of [...text.matchAll(NAMED), ...calls]) {
    if (!/^(?:\.?[\w~-]|@[\w~.-]+\/\.?[\w~-])/.test(specifier) || isBuiltin(specifier)) continue;
    names.add(packageName(specifier));
  }
  return names;
}

/**
 * Packages that were generated beside those that are packed (`.prisma/client`): nothing lists them,
 * and what loads them may only know at run time where they are.
 */
async function generatedBeside(reader: PackageReader, { packages }: Closure): Promise<Set<string>> {
  const folders = new Set<string>();
  for (const dir of packages) {
    const at = dir.lastIndexOf("/node_modules/");
    if (at >= 0) folders.add(dir.slice(0, at + "/node_modules".length));
  }
  const found = new Set<string>();
  for (const modules of folders) {
    for (const name of foldersIn(modules)) {
      if (!name.startsWith(".") || name === ".bin") continue;
      for (const part of foldersIn(path.join(modules, name))) {
        const place = path.join(modules, name, part);
        const json = await reader.read(place);
        // Caches of tools have a package.json too, which only says what their files are.
        const isPackage =
          json !== undefined && (json.name ?? json.main ?? json.exports) !== undefined;
        const owner = installedPackage(`${place}/`);
        if (isPackage && owner !== undefined) found.add(realpathSync(owner));
      }
    }
  }
  return found;
}
