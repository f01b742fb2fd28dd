/** Compilers of the app that give decorators the types of what they decorate: TypeScript up to 6, SWC. */
import { createRequire } from "node:module";
import path from "node:path";
import type { TsConfigJsonResolved } from "get-tsconfig";

type CompilerOptions = NonNullable<TsConfigJsonResolved["compilerOptions"]>;

/** What holds for a source in TypeScript. */
export interface Project {
  /** Folder of its tsconfig.json. */
  dir: string;
  options: CompilerOptions;
}

/** @returns JavaScript with its map inside */
export type Compiler = (text: string, file: string, project: Project) => Promise<string>;

/** As far as they are used here; both are the app's own. */
interface TypeScript {
  ModuleResolutionKind?: { Bundler?: number };
  transpileModule(
    text: string,
    request: { compilerOptions: object; fileName: string },
  ): { outputText: string };
  convertCompilerOptionsFromJson(options: object, basePath: string): { options: object };
  createCompilerHost(options: object): { getCurrentDirectory(): string };
  createProgram(roots: readonly string[], options: object, host: object, old?: Program): Program;
}
interface Program {
  getSourceFile(file: string): object | undefined;
  emit(source: object, write: (name: string, text: string) => void): unknown;
}
interface Swc {
  transform(text: string, options: object): Promise<{ code: string }>;
}

/**
 * TypeScript up to 6 can be asked; 7 is a program.
 *
 * @param from a file or folder that they are installed for
 */
export function findCompiler(from: string): Compiler | undefined {
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

/** As a part of the whole program, or for itself where that makes nothing of it. */
function byTypeScript(typescript: TypeScript): Compiler {
  const programs = new Map<string, Programs>();
  return async (text, file, { dir, options: given }) => {
    const module = usesRequire(text) ? "commonjs" : "esnext";
    const json = {
      ...given,
      module,
      moduleResolution: undefined,
      inlineSourceMap: true,
      sourceMap: undefined,
      inlineSources: undefined,
      importHelpers: false,
      noEmit: false,
      noEmitOnError: false,
      noEmitHelpers: false,
      emitDeclarationOnly: false,
      declaration: false,
      declarationMap: false,
      composite: false,
      incremental: false,
      tsBuildInfoFile: undefined,
      // The output is never written; its map names the source beside it.
      outDir: undefined,
      outFile: undefined,
      rootDir: undefined,
      sourceRoot: undefined,
      allowJs: false,
      checkJs: false,
    };
    const key = `${dir}\0${module}`;
    const found = programs.get(key) ?? new Programs(typescript, dir, given, json);
    programs.set(key, found);
    const output = found.emit(file);
    if (output !== undefined) return output;
    const { options } = typescript.convertCompilerOptionsFromJson(json, dir);
    return typescript.transpileModule(text, { compilerOptions: options, fileName: file })
      .outputText;
  };
}

/**
 * Files with all that they import. What a decorator sees depends on it: an enum or a type that another
 * file has is Number, String or Object, which this file alone does not tell.
 */
class Programs {
  readonly #typescript: TypeScript;
  readonly #options: object;
  readonly #host: object;
  readonly #roots: string[] = [];
  #program: Program | undefined;

  constructor(typescript: TypeScript, dir: string, given: CompilerOptions, json: object) {
    this.#typescript = typescript;
    const bundler = typescript.ModuleResolutionKind?.Bundler === undefined ? "node" : "bundler";
    const isOld = /^(?:node|node10|classic)$/i.test(given.moduleResolution ?? "");
    const moduleResolution = isOld ? given.moduleResolution : bundler;
    const request = { ...json, moduleResolution };
    const { options } = typescript.convertCompilerOptionsFromJson(request, dir);
    this.#options = { ...options, ...(given.paths && { pathsBasePath: dir }) };
    this.#host = typescript.createCompilerHost(this.#options);
    // Packages with types are looked for there, wherever the builder was started.
    Object.assign(this.#host, { getCurrentDirectory: () => dir });
  }

  /** @returns undefined where it makes no JavaScript of the file */
  emit(file: string): string | undefined {
    if (this.#program?.getSourceFile(file) === undefined) {
      this.#roots.push(file);
      const { createProgram } = this.#typescript;
      this.#program = createProgram(this.#roots, this.#options, this.#host, this.#program);
    }
    const source = this.#program.getSourceFile(file);
    let output: string | undefined;
    if (source === undefined) return undefined;
    this.#program.emit(source, (name, text) => {
      if (/\.[cm]?jsx?$/.test(name)) output = text;
    });
    return output;
  }
}

/** As TypeScript has it: by the target, when nothing is said. */
function definesFields({ useDefineForClassFields, target = "esnext" }: CompilerOptions): boolean {
  return useDefineForClassFields ?? !/^es(?:[356]|20(?:1\d|2[01]))$/i.test(target);
}

function bySwc(swc: Swc): Compiler {
  return async (text, file, { options }) => {
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
        parser: { syntax: "typescript", tsx: path.extname(file) === ".tsx", decorators: true },
        transform: {
          legacyDecorator: true,
          decoratorMetadata: true,
          useDefineForClassFields: definesFields(options),
        },
      },
    });
    return code;
  };
}
