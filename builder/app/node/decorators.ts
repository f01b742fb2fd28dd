/**
 * `emitDecoratorMetadata` of tsconfig.json: types that decorators see at run time.
 *
 * esbuild has no types and drops it without a word, and frameworks that inject by type or make columns
 * of fields then get undefined. An app that asks for it has a compiler installed that does it:
 * TypeScript, or SWC. That one compiles the files with decorators.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import type { Loader, Plugin } from "esbuild";
import type { TsConfigJsonResolved } from "get-tsconfig";
import * as errors from "./node-errors.ts";

type CompilerOptions = NonNullable<TsConfigJsonResolved["compilerOptions"]>;

/** As far as they are used here; both are the app's own. */
interface TypeScript {
  transpileModule(
    text: string,
    request: { compilerOptions: object; fileName: string },
  ): { outputText: string };
  convertCompilerOptionsFromJson(options: object, basePath: string): { options: object };
}
interface Swc {
  transform(text: string, options: object): Promise<{ code: string }>;
}

type Compiler = (text: string, file: string, options: CompilerOptions) => Promise<string>;

export class DecoratorMetadata {
  readonly #dir: string;
  readonly #strict: boolean;
  readonly #configs = new Map<string, Promise<CompilerOptions>>();
  readonly #compiled = new Map<string, Promise<string | undefined>>();
  #compiler: Compiler | undefined;
  /** Files whose decorators get no types, because nothing here can compile them. */
  readonly dropped = new Set<string>();

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
          return contents === undefined ? undefined : { contents, loader: "js" as Loader };
        });
      },
    };
  }

  async #compile(file: string): Promise<string | undefined> {
    if (!/\.[cm]?tsx?$/.test(file)) return undefined;
    const text = await readFile(file, "utf8");
    if (!/(?:^|[\s({;,])@[\w$(]/m.test(text)) return undefined;
    const options = await this.#options(path.dirname(file));
    if (options.emitDecoratorMetadata !== true || options.experimentalDecorators !== true) {
      return undefined;
    }
    this.#compiler ??= findCompiler(file) ?? findCompiler(path.join(this.#dir, "x"));
    if (this.#compiler !== undefined) return this.#compiler(text, file, options);
    if (this.#strict) throw errors.decorators(file);
    this.dropped.add(file);
    return undefined;
  }

  /** What tsconfig.json says, with what it extends. */
  #options(dir: string): Promise<CompilerOptions> {
    let found = this.#configs.get(dir);
    if (found === undefined) {
      found = import("get-tsconfig").then(
        ({ getTsconfig }) => getTsconfig(dir)?.config.compilerOptions ?? {},
      );
      this.#configs.set(dir, found);
    }
    return found;
  }
}

/** TypeScript up to 6 can be asked; 7 is a program. */
function findCompiler(from: string): Compiler | undefined {
  const require = createRequire(from);
  const load = (name: string): unknown => {
    try {
      return require(name);
    } catch {
      return undefined;
    }
  };
  const typescript = load("typescript") as Partial<TypeScript> | undefined;
  if (typescript?.transpileModule !== undefined) return byTypeScript(typescript as TypeScript);
  const swc = load("@swc/core") as Partial<Swc> | undefined;
  return swc?.transform === undefined ? undefined : bySwc(swc as Swc);
}

const usesRequire = (text: string) =>
  /^\s*(?:export\s+=|import\s+[\w$]+\s*=\s*require\b)/m.test(text);

function byTypeScript(typescript: TypeScript): Compiler {
  return async (text, file, given) => {
    const json = {
      ...given,
      module: usesRequire(text) ? "commonjs" : "esnext",
      moduleResolution: undefined,
      inlineSourceMap: true,
      sourceMap: undefined,
      inlineSources: undefined,
      importHelpers: false,
      noEmit: false,
      noEmitHelpers: false,
      declaration: false,
      composite: false,
      incremental: false,
    };
    const { options } = typescript.convertCompilerOptionsFromJson(json, path.dirname(file));
    return typescript.transpileModule(text, { compilerOptions: options, fileName: file })
      .outputText;
  };
}

function bySwc(swc: Swc): Compiler {
  return async (text, file, given) => {
    const { code } = await swc.transform(text, {
      filename: file,
      swcrc: false,
      configFile: false,
      sourceMaps: "inline",
      inlineSourcesContent: false,
      module: { type: usesRequire(text) ? "commonjs" : "es6" },
      jsc: {
        target: "es2022",
        externalHelpers: false,
        keepClassNames: true,
        parser: { syntax: "typescript", tsx: file.endsWith("x"), decorators: true },
        transform: {
          legacyDecorator: true,
          decoratorMetadata: true,
          useDefineForClassFields: given.useDefineForClassFields !== false,
        },
      },
    });
    return code;
  };
}
