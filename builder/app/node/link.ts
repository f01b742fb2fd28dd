/** Where the names in a bundle's sources lead: into it, to its CommonJS part, to files that stay. */
import path from "node:path";
import type { Message, OnResolveArgs, OnResolveResult, Plugin } from "esbuild";
import type { Analysis } from "./analyse.ts";
import {
  type Access,
  ExportedNames,
  IMPORTED,
  IMPORTED_TYPED,
  REQUIRED,
  requiredStandIn,
  standIn,
} from "./commonjs-part.ts";
import { type External, externalSpecifier } from "./external.ts";
import { installedPackage } from "./package.ts";
import type { Loading, NodeResolver } from "./resolution.ts";
import { loadingOf, TYPED } from "./resolve-plugin.ts";

export interface LinkRequest {
  /** Folder of the project. */
  dir: string;
  analysis: Analysis;
  external: External;
  resolver: NodeResolver;
  /** The file that is written: absolute. */
  output: string;
  /** Specifier of the file for CommonJS; undefined where all is in one. */
  part: string | undefined;
}

interface StandIn {
  file: string;
  access: Access;
}

/** One program's names. It remembers what of CommonJS they need. */
export class Link {
  /** Files of the CommonJS part by key. */
  readonly needed = new Map<string, string>();
  readonly #request: LinkRequest;
  readonly #outDir: string;
  readonly #names: ExportedNames;
  readonly #standIns = new Map<string, StandIn>();
  /** Names that are imported and that no lexer sees, by namespace and path. */
  readonly #asked = new Map<string, Set<string>>();

  constructor(request: LinkRequest) {
    this.#request = request;
    this.#outDir = path.dirname(request.output);
    this.#names = new ExportedNames(request.resolver);
  }

  plugin(): Plugin {
    return {
      name: "link",
      setup: (build) => {
        build.onResolve({ filter: /.*/ }, (args) =>
          args.kind === "entry-point" ? undefined : this.#resolve(args),
        );
        for (const namespace of [IMPORTED, IMPORTED_TYPED]) {
          build.onLoad({ filter: /.*/, namespace }, async ({ path: key }) => {
            const { file, access } = this.#standIn(key);
            const lexed = await this.#names.of(file);
            const names = new Set([...lexed, ...(this.#asked.get(`${namespace}:${key}`) ?? [])]);
            const isTyped = namespace === IMPORTED_TYPED;
            return standIn(file, access, names, isTyped, this.#request.part ?? "");
          });
        }
        build.onLoad({ filter: /.*/, namespace: REQUIRED }, ({ path: key }) => {
          const { file, access } = this.#standIn(key);
          return requiredStandIn(file, access, this.#request.part ?? "");
        });
      },
    };
  }

  /**
   * Takes over names that a failed build asked stand-ins for.
   *
   * @returns whether that was all that was wrong
   */
  learn(messages: readonly Message[]): boolean {
    let learnt = messages.length > 0;
    for (const { text } of messages) {
      const [, where = "", name = ""] =
        /^No matching export in "(.*)" for import "(.*)"$/.exec(text) ?? [];
      const asked = this.#asked.get(where) ?? new Set();
      if (!/^commonjs(?:-typed)?:/.test(where) || asked.has(name)) learnt = false;
      this.#asked.set(where, asked.add(name));
    }
    return learnt;
  }

  #standIn(key: string): StandIn {
    const found = this.#standIns.get(key);
    if (found === undefined) throw new Error(`no stand-in for ${key}`);
    return found;
  }

  #resolve({ path: name, importer, kind }: OnResolveArgs): OnResolveResult | undefined {
    const { analysis, external } = this.#request;
    const loading = loadingOf(kind);
    const imported = analysis.imports.get(importer);
    // Stand-ins and the entry of a part name files by their paths.
    if (imported === undefined) return path.isAbsolute(name) ? inside(name) : undefined;
    const found = imported.find((one) => one.name === name && one.loading === loading);
    if (found === undefined)
      return TYPED.test(importer) ? undefined : { path: name, external: true };
    const { file } = found;
    const owner = installedPackage(file);
    if (owner !== undefined && external.packages.has(owner)) {
      return this.#resolveExternal(name, file, importer, loading);
    }
    if (file.endsWith(".node")) return { path: this.#relative(file), external: true };
    if (!analysis.modules.has(importer) || analysis.modules.has(file)) return inside(file);
    const access = this.#access(file);
    if (loading === "import") return this.#standInFor(file, importer, access);
    return access.from === "bundle" ? inside(file) : this.#remember(file, REQUIRED, access);
  }

  #access(file: string): Access {
    if (this.#request.part === undefined) return { from: "bundle" };
    const key = this.#key(file);
    this.needed.set(key, file);
    return { from: "part", key };
  }

  /** A package that stays is loaded where its import stands when require() gives the same file. */
  #resolveExternal(
    name: string,
    file: string,
    importer: string,
    loading: Loading,
  ): OnResolveResult {
    const { analysis, external, resolver, output } = this.#request;
    const specifier = externalSpecifier(this.#outDir, name, file, external);
    const isModule = analysis.modules.has(file);
    if (loading === "import" && analysis.modules.has(importer) && !isModule) {
      const required = resolver.resolve(specifier, output, "require");
      if ("file" in required && required.file === file) {
        return this.#standInFor(file, importer, { from: "package", name: specifier });
      }
    }
    return { path: specifier, external: true };
  }

  #standInFor(file: string, importer: string, access: Access): OnResolveResult {
    const { resolver } = this.#request;
    const isTyped =
      TYPED.test(importer) &&
      !/\.mts$/.test(importer) &&
      resolver.typeOf(path.dirname(importer)) !== "module";
    return this.#remember(file, isTyped ? IMPORTED_TYPED : IMPORTED, access);
  }

  #remember(file: string, namespace: string, access: Access): OnResolveResult {
    const key = this.#key(file);
    this.#standIns.set(key, { file, access });
    return { path: key, namespace };
  }

  /** Relative, because it is in the output. */
  #key(file: string): string {
    return path.relative(this.#request.dir, file);
  }

  #relative(file: string): string {
    const relative = path.relative(this.#outDir, file);
    return relative.startsWith("../") ? relative : `./${relative}`;
  }
}

/** What esbuild knows of a file in TypeScript, as its tsconfig.json, it knows by finding it. */
function inside(file: string): OnResolveResult | undefined {
  return TYPED.test(file) ? undefined : { path: file };
}
