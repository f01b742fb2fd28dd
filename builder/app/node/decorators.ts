/**
 * `emitDecoratorMetadata` of tsconfig.json: types that decorators see at run time.
 *
 * esbuild has no types and drops it without a word, and frameworks that inject by type or make columns
 * of fields then get undefined. An app that asks for it has a compiler installed that does it:
 * TypeScript, or SWC. That one compiles the files with decorators.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Loader, Plugin } from "esbuild";
import { type Compiler, findCompiler, type Project } from "./decorator-compilers.ts";
import { withoutImport } from "./decorator-types.ts";
import * as errors from "./node-errors.ts";

export class DecoratorMetadata {
  readonly #dir: string;
  readonly #strict: boolean;
  readonly #projects = new Map<string, Promise<Project>>();
  readonly #compiled = new Map<string, Promise<string | undefined>>();
  #compiler: Compiler | undefined;
  /** Files whose decorators get no types: why. */
  readonly dropped = new Map<string, string>();

  /** @param dir of the project @param strict whether going without is a failure */
  constructor(dir: string, strict: boolean) {
    this.#dir = dir;
    this.#strict = strict;
  }

  /**
   * The JavaScript of a source whose decorators see types, with its map inside; undefined for others.
   *
   * @throws E_NODE_DECORATORS
   */
  compiled(file: string): Promise<string | undefined> {
    let found = this.#compiled.get(file);
    if (found === undefined) {
      found = this.#compile(file);
      this.#compiled.set(file, found);
    }
    return found;
  }

  /** Serves those files. */
  plugin(): Plugin {
    return {
      name: "decorators",
      setup: (build) => {
        build.onLoad({ filter: /\.[cm]?tsx?$/ }, async ({ path: file }) => {
          const contents = await this.compiled(file);
          const loader: Loader = file.endsWith("x") ? "jsx" : "js";
          return contents === undefined ? undefined : { contents, loader };
        });
      },
    };
  }

  async #compile(file: string): Promise<string | undefined> {
    if (!/\.[cm]?tsx?$/.test(file)) return undefined;
    const text = await readFile(file, "utf8");
    if (!/(?:^|[\s({;,])@[\w$(]/m.test(text)) return undefined;
    const project = await this.#project(path.dirname(file));
    const { emitDecoratorMetadata, experimentalDecorators } = project.options;
    if (emitDecoratorMetadata !== true) return undefined;
    if (experimentalDecorators !== true) {
      this.dropped.set(file, "it is for experimentalDecorators, and these are standard ones");
      return undefined;
    }
    this.#compiler ??= findCompiler(file) ?? findCompiler(path.join(this.#dir, "x"));
    if (this.#compiler !== undefined) return this.#compiler(text, file, project);
    if (this.#strict) throw errors.decorators(file);
    this.dropped.set(file, "no compiler is installed that does it");
    return undefined;
  }

  /**
   * Takes a name out of what a compiled source imports: a compiler that looks at one file keeps the import
   * of a type that a decorator may see, and no such thing exists at run time.
   *
   * @returns whether it was there
   */
  async forget(file: string, name: string): Promise<boolean> {
    const text = await this.#compiled.get(file);
    const less = text === undefined ? undefined : withoutImport(text, name);
    if (less !== undefined) this.#compiled.set(file, Promise.resolve(less));
    return less !== undefined;
  }

  /** What tsconfig.json says, with what it extends. */
  #project(dir: string): Promise<Project> {
    let found = this.#projects.get(dir);
    if (found === undefined) {
      found = import("get-tsconfig").then(({ getTsconfig }) => {
        const config = getTsconfig(dir);
        const options = config?.config.compilerOptions ?? {};
        return { dir: config === null ? dir : path.dirname(config.path), options };
      });
      this.#projects.set(dir, found);
    }
    return found;
  }
}
