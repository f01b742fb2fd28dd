/**
 * Which file Node loads for a name in a file: require() and import, as the Node that is packed does it
 * (https://nodejs.org/api/modules.html#all-together and esm.html#resolution-algorithm-specification).
 *
 * The bundler is told these files, so that a bundle holds what Node would load. It is not left to the
 * bundler's own rules, which know more: endings of TypeScript, tsconfig.json, fields of package.json
 * for browsers. test/unit/app/node/resolution.test.ts compares every answer with Node's own.
 */
import { readFileSync, realpathSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import satisfies from "semver/functions/satisfies.js";
import { statusOf } from "../../host/status.ts";
import { packageName } from "./package.ts";
import { exportsTable, isUsable, leaves, lookUp } from "./package-targets.ts";

export type Loading = "require" | "import";

/** What a name leads to. */
export type Resolved =
  /** Absolute, links followed. */
  | { file: string }
  /** A module of Node itself, or a URL that is no file. */
  | { builtin: string }
  /** Node would throw; the reason in one phrase. */
  | { missing: string };

interface Json {
  name?: unknown;
  type?: unknown;
  main?: unknown;
  exports?: unknown;
  imports?: unknown;
}

/** What is tried behind a name of require(). */
const ENDINGS = [".js", ".json", ".node"];
/** What import still tries for a package without exports. */
const LEGACY = [".js", ".json", ".node", "/index.js", "/index.json", "/index.node"];

const BUILTIN = new Set(builtinModules.filter((name) => !name.startsWith("node:")));

/** Versions in which require() takes ES modules, and the condition "module-sync" holds. */
const REQUIRES_MODULES = ">=20.19.0 <21 || >=22.12.0";

class Missing extends Error {}

export class NodeResolver {
  readonly #conditions: Record<Loading, ReadonlySet<string>>;
  readonly #manifests = new Map<string, Json | undefined>();
  readonly #kinds = new Map<string, "file" | "folder" | undefined>();
  readonly #answers = new Map<string, Resolved>();

  /** @param node version that is packed; a current one when it is not known */
  constructor(node?: string) {
    const known = node === undefined || satisfies(node, REQUIRES_MODULES);
    const both = ["node", "node-addons", ...(known ? ["module-sync"] : [])];
    this.#conditions = {
      require: new Set([...both, "require"]),
      import: new Set([...both, "import"]),
    };
  }

  /** @param importer absolute path of the file, links followed */
  resolve(specifier: string, importer: string, loading: Loading): Resolved {
    const key = `${loading}\0${path.dirname(importer)}\0${specifier}`;
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      answer = this.#answer(specifier, importer, loading);
      this.#answers.set(key, answer);
    }
    return answer;
  }

  /** The type that package.json gives to files in `dir`. */
  typeOf(dir: string): "module" | "commonjs" | undefined {
    const type = this.#json(this.#scope(dir))?.type;
    return type === "module" || type === "commonjs" ? type : undefined;
  }

  #answer(specifier: string, importer: string, loading: Loading): Resolved {
    if (specifier.startsWith("node:") || BUILTIN.has(specifier)) return { builtin: specifier };
    const dir = path.dirname(importer);
    try {
      const file =
        loading === "require" ? this.#require(specifier, dir) : this.#import(specifier, dir);
      if (file === undefined) return { builtin: specifier };
      if (BUILTIN.has(file)) return { builtin: file };
      return { file: realpathSync.native(file) };
    } catch (reason) {
      if (reason instanceof Missing) return { missing: reason.message };
      throw reason;
    }
  }

  #require(specifier: string, dir: string): string {
    if (/^(?:\.{0,2}\/|\.{1,2}$)/.test(specifier)) {
      const found = this.#asFileOrFolder(
        path.resolve(dir, specifier),
        /(?:^|\/)\.{0,2}$/.test(specifier),
      );
      if (found === undefined) throw new Missing(`there is no ${specifier}`);
      return found;
    }
    if (specifier.startsWith("#")) return this.#private(specifier, dir, "require");
    const own = this.#self(specifier, dir, "require");
    if (own !== undefined) return own;
    const name = packageName(specifier);
    for (const at of searched(dir)) {
      if (this.#kind(at) !== "folder") continue;
      const place = path.join(at, name);
      const json = isName(name) ? this.#json(place) : undefined;
      if (json?.exports !== undefined && json.exports !== null) {
        return this.#exported(place, json, `.${specifier.slice(name.length)}`, "require");
      }
      const found = this.#asFileOrFolder(path.join(at, specifier), specifier.endsWith("/"));
      if (found !== undefined) return found;
    }
    throw new Missing(`${specifier} is not installed`);
  }

  /** @returns undefined for what is no file */
  #import(specifier: string, dir: string): string | undefined {
    if (/^(?:\.{0,2}\/|\.{1,2}$)/.test(specifier)) {
      const [name = ""] = specifier.split(/[?#]/, 1);
      if (name !== specifier) throw new Missing("a query makes another module of a file");
      return this.#exactly(fromUrl(path.join(dir, "x"), specifier), specifier);
    }
    if (specifier.startsWith("#")) return this.#private(specifier, dir, "import");
    if (/^[a-z][a-z\d+.-]*:/i.test(specifier)) {
      if (!specifier.startsWith("file:")) return undefined;
      return this.#exactly(fromUrl("/", specifier), specifier);
    }
    return this.#package(specifier, dir);
  }

  /** PACKAGE_RESOLVE of import, and of `imports` for both kinds. */
  #package(specifier: string, dir: string): string {
    if (BUILTIN.has(specifier)) return specifier;
    const name = packageName(specifier);
    if (!isName(name)) throw new Missing(`${specifier} is no name of a package`);
    const own = this.#self(specifier, dir, "import");
    if (own !== undefined) return own;
    for (const at of searched(dir)) {
      const place = path.join(at, name);
      if (this.#kind(place) !== "folder") continue;
      const json = this.#json(place);
      const subpath = `.${specifier.slice(name.length)}`;
      if (json?.exports !== undefined && json.exports !== null) {
        return this.#exported(place, json, subpath, "import");
      }
      if (subpath === ".") return this.#legacyMain(place, json, specifier);
      return this.#exactly(path.join(place, subpath), specifier);
    }
    throw new Missing(`${specifier} is not installed`);
  }

  #legacyMain(place: string, json: Json | undefined, specifier: string): string {
    const main = json?.main;
    const named = typeof main === "string" ? ["", ...LEGACY].map((end) => `${main}${end}`) : [];
    for (const name of [...named, "index.js", "index.json", "index.node"]) {
      const file = path.join(place, name);
      if (this.#kind(file) === "file") return file;
    }
    throw new Missing(`${specifier} has no main file`);
  }

  /** A package that names itself. */
  #self(specifier: string, dir: string, loading: Loading): string | undefined {
    const scope = this.#scope(dir);
    const json = this.#json(scope);
    if (scope === undefined || json?.exports === undefined || json.exports === null)
      return undefined;
    const name = packageName(specifier);
    if (json.name !== name) return undefined;
    return this.#exported(scope, json, `.${specifier.slice(name.length)}`, loading);
  }

  #exported(place: string, json: Json, subpath: string, loading: Loading): string {
    const target = lookUp(exportsTable(json.exports), subpath, this.#conditions[loading]);
    const shown = `${subpath} of ${path.basename(place)}`;
    if (!target) throw new Missing(`package.json does not export ${shown}`);
    if (!target.to.startsWith("./") || leaves(target.to) || isLeaving(target.pattern)) {
      throw new Missing(`package.json exports ${shown} from outside`);
    }
    // require() takes the file as it is, too: no endings are tried.
    return this.#exactly(path.join(place, decode(target.to)), shown);
  }

  /** `#name` of the package's own imports. */
  #private(specifier: string, dir: string, loading: Loading): string {
    const scope = this.#scope(dir);
    const imports = this.#json(scope)?.imports;
    const isTable = typeof imports === "object" && imports !== null;
    const table = isTable ? (imports as Record<string, unknown>) : {};
    const target =
      specifier === "#" ? undefined : lookUp(table, specifier, this.#conditions[loading]);
    if (scope === undefined || !target) throw new Missing(`package.json has no ${specifier}`);
    if (target.to.startsWith("./")) {
      if (leaves(target.to) || isLeaving(target.pattern))
        throw new Missing(`package.json has ${specifier} outside`);
      return this.#exactly(path.join(scope, decode(target.to)), specifier);
    }
    if (!isUsable(target.to, true)) throw new Missing(`package.json has ${specifier} outside`);
    // Only import takes a module of Node itself so.
    if (loading === "require" && BUILTIN.has(target.to))
      throw new Missing(`${specifier} is no file`);
    return this.#packageFor(target.to, scope, loading);
  }

  /** Node resolves what `imports` names as import does, but by the conditions of the one who asks. */
  #packageFor(specifier: string, scope: string, loading: Loading): string {
    if (loading === "import") return this.#package(specifier, scope);
    const saved = this.#conditions.import;
    this.#conditions.import = this.#conditions.require;
    try {
      return this.#package(specifier, scope);
    } finally {
      this.#conditions.import = saved;
    }
  }

  #exactly(file: string, shown: string): string {
    const kind = this.#kind(file);
    if (kind === "folder") throw new Missing(`${shown} is a folder`);
    if (kind === undefined) throw new Missing(`there is no ${shown}`);
    return file;
  }

  #asFileOrFolder(file: string, folderOnly: boolean): string | undefined {
    return (folderOnly ? undefined : this.#asFile(file)) ?? this.#asFolder(file);
  }

  #asFile(file: string): string | undefined {
    return ["", ...ENDINGS].map((end) => `${file}${end}`).find((at) => this.#kind(at) === "file");
  }

  #asFolder(dir: string): string | undefined {
    if (this.#kind(dir) !== "folder") return undefined;
    const main = this.#json(dir)?.main;
    if (typeof main === "string" && main !== "") {
      const named = path.resolve(dir, main);
      const found = this.#asFile(named) ?? this.#index(named);
      if (found !== undefined) return found;
    }
    return this.#index(dir);
  }

  #index(dir: string): string | undefined {
    return ENDINGS.map((end) => path.join(dir, `index${end}`)).find(
      (at) => this.#kind(at) === "file",
    );
  }

  /** The folder of the package.json that holds for files in `dir`. */
  #scope(dir: string): string | undefined {
    for (let at = dir; path.basename(at) !== "node_modules"; at = path.dirname(at)) {
      if (this.#json(at) !== undefined) return at;
      if (path.dirname(at) === at) break;
    }
    return undefined;
  }

  /** What is damaged counts as empty: whoever needs it says so. */
  #json(dir: string | undefined): Json | undefined {
    if (dir === undefined) return undefined;
    if (!this.#manifests.has(dir)) {
      const file = path.join(dir, "package.json");
      const found = this.#kind(file) === "file" ? parse(readFileSync(file, "utf8")) : undefined;
      this.#manifests.set(dir, found);
    }
    return this.#manifests.get(dir);
  }

  #kind(file: string): "file" | "folder" | undefined {
    if (!this.#kinds.has(file)) {
      this.#kinds.set(file, kindOf(file));
    }
    return this.#kinds.get(file);
  }
}

/** Where there is no status Node finds nothing either; a fifo would never be read to its end. */
function kindOf(file: string): "file" | "folder" | undefined {
  const found = statusOf(file);
  if (found?.isDirectory()) return "folder";
  return found?.isFile() ? "file" : undefined;
}

function parse(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** Folders that packages are looked for in, from near to far. */
function searched(dir: string): string[] {
  const found: string[] = [];
  for (let at = dir; ; at = path.dirname(at)) {
    if (path.basename(at) !== "node_modules") found.push(path.join(at, "node_modules"));
    if (path.dirname(at) === at) return found;
  }
}

const isName = (name: string) => /^(?:@[^/\\%]+\/)?[^./\\%@][^/\\%]*$/.test(name);

const isLeaving = (stood: string | undefined) => stood !== undefined && leaves(`./${stood}`);

/** Import takes URLs: "%20" is a space there. */
function fromUrl(base: string, specifier: string): string {
  try {
    return fileURLToPath(
      new URL(specifier, new URL(`file://${encodeURI(base).replace(/[?#]/g, encodeURIComponent)}`)),
    );
  } catch {
    throw new Missing(`${specifier} names no file`);
  }
}

function decode(target: string): string {
  return target.includes("%") ? decodeURIComponent(target) : target;
}
