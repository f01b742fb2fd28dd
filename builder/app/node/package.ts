/** package.json, as far as packing needs it. */
import { existsSync } from "node:fs";
import path from "node:path";
import { errnoCode, fileUnreadable } from "../../errors.ts";
import { readRegularFile } from "../../host/status.ts";
import * as errors from "./node-errors.ts";

type Names = Record<string, string>;

export interface PackageJson {
  name?: string;
  version?: string;
  type?: string;
  main?: string;
  bin?: string | Names;
  exports?: unknown;
  scripts?: Names;
  dependencies?: Names;
  devDependencies?: Names;
  optionalDependencies?: Names;
  peerDependencies?: Names;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
  os?: string[];
  cpu?: string[];
  libc?: string[];
}

/**
 * Reads each package.json once, because a build asks for the same ones again and again. Every build
 * has a reader of its own: it sees the files as they are when it starts, and one version of each.
 */
export class PackageReader {
  readonly #found = new Map<string, Promise<PackageJson | undefined>>();

  /**
   * The package.json in `dir`, or undefined where there is none.
   *
   * @throws E_NODE_PACKAGE, E_FILE_UNREADABLE
   */
  read(dir: string): Promise<PackageJson | undefined> {
    let found = this.#found.get(dir);
    if (found === undefined) {
      found = parsePackage(path.join(dir, "package.json"));
      this.#found.set(dir, found);
    }
    return found;
  }

  /** The nearest folder upwards from `dir` that has a package.json, or undefined. */
  async above(dir: string): Promise<string | undefined> {
    for (let at = dir; ; at = path.dirname(at)) {
      if ((await this.read(at)) !== undefined) return at;
      if (path.dirname(at) === at) return undefined;
    }
  }
}

async function parsePackage(file: string): Promise<PackageJson | undefined> {
  let text: string;
  try {
    text = readRegularFile(file).toString("utf8");
  } catch (cause) {
    const code = errnoCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw fileUnreadable(file, cause);
  }
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new Error("it holds no object");
    }
    return sound(value as Record<string, unknown>);
  } catch (cause) {
    throw errors.packageMalformed(file, cause);
  }
}

const isText = (value: unknown) => typeof value === "string";

const textOf = (value: unknown) => (isText(value) ? value : undefined);

const texts = (value: unknown) =>
  Array.isArray(value) ? value.filter(isText) : isText(value) ? [value] : undefined;

/** An object with those of its values that `isOne` takes. */
function only(value: unknown, isOne: (one: unknown) => boolean): object | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.fromEntries(Object.entries(value).filter(([, one]) => isOne(one)));
}

const names = (value: unknown) => only(value, isText);

/** What is taken of each field. */
const FIELDS: Readonly<Record<keyof PackageJson, (value: unknown) => unknown>> = {
  name: textOf,
  version: textOf,
  type: textOf,
  main: textOf,
  bin: (value) => textOf(value) ?? names(value),
  exports: (value) => value,
  scripts: names,
  dependencies: names,
  devDependencies: names,
  optionalDependencies: names,
  peerDependencies: names,
  peerDependenciesMeta: (value) => only(value, (one) => typeof one === "object" && one !== null),
  os: texts,
  cpu: texts,
  libc: texts,
};

/** Without what is none of its field: Node passes over a main that is no text, and npm over most others. */
function sound(value: Record<string, unknown>): PackageJson {
  const taken = Object.entries(value).map(([key, one]) => {
    const take = Object.hasOwn(FIELDS, key) ? FIELDS[key as keyof PackageJson] : undefined;
    return [key, take === undefined ? one : take(one)] as const;
  });
  return Object.fromEntries(taken.filter(([, one]) => one !== undefined));
}

/**
 * Folders of node_modules that are no packages: programs by their names, and what package managers
 * keep for others to see through links.
 */
const NO_PACKAGES = new Set([".bin", ".pnpm", ".store", ".bun", ".deno"]);

/**
 * The package that a file of node_modules belongs to: the folder right below node_modules, or below
 * a scope in it. Undefined for files of the app itself.
 *
 * A folder whose name starts with a dot holds packages that were generated (`.prisma/client`): the
 * highest folder in it with a package.json, or where there is none all of it.
 */
export function installedPackage(file: string): string | undefined {
  const at = file.lastIndexOf("/node_modules/");
  if (at < 0) return undefined;
  const modules = file.slice(0, at + "/node_modules".length);
  const names = file.slice(modules.length + 1).split("/");
  const [first = "", second] = names;
  if (first.startsWith(".")) return generatedPackage(modules, names);
  if (first.startsWith("@")) return second ? `${modules}/${first}/${second}` : undefined;
  return first === "" ? undefined : `${modules}/${first}`;
}

function generatedPackage(modules: string, names: readonly string[]): string | undefined {
  for (let count = 1; count <= names.length; count++) {
    const dir = [modules, ...names.slice(0, count)].join("/");
    if (existsSync(`${dir}/package.json`)) return dir;
  }
  const [first = ""] = names;
  return NO_PACKAGES.has(first) ? undefined : `${modules}/${first}`;
}

/** The name under which a folder of node_modules is imported; a linked workspace has its own. */
export function shownPackage(dir: string): string {
  const at = dir.lastIndexOf("/node_modules/");
  return at < 0 ? path.basename(dir) : dir.slice(at + "/node_modules/".length);
}

/** "a/b" and "@s/a/b" → "a" and "@s/a". */
export function packageName(specifier: string): string {
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}
