/**
 * CommonJS that ES modules import.
 *
 * A module is strict, and CommonJS is not: it may assign to what nobody declared, use `with` and octal
 * numbers. So a bundle that is a module has a second file for it. Each CommonJS file is imported through
 * a small module that runs it where its import stands, as Node does, and gives the names that Node gives.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { OnLoadResult } from "esbuild";
import type { NodeResolver } from "./resolution.ts";

/** Namespaces of esbuild for files that are reached so; the second follows the rules of TypeScript. */
export const IMPORTED = "commonjs";
export const IMPORTED_TYPED = "commonjs-typed";
/** required by a module, which gets what module.exports is. */
export const REQUIRED = "commonjs-required";

/** How a module gets at module.exports of a file. */
export type Access =
  | { from: "part"; key: string }
  | { from: "bundle" }
  | { from: "package"; name: string };

/** The names that Node finds in CommonJS files: https://nodejs.org/api/esm.html#commonjs-namespaces */
export class ExportedNames {
  readonly #resolver: NodeResolver;
  readonly #found = new Map<string, Set<string>>();
  #lexer: typeof import("cjs-module-lexer") | undefined;

  constructor(resolver: NodeResolver) {
    this.#resolver = resolver;
  }

  async of(file: string): Promise<ReadonlySet<string>> {
    if (this.#lexer === undefined) {
      this.#lexer = await import("cjs-module-lexer");
      await this.#lexer.init();
    }
    return this.#collect(file, this.#lexer);
  }

  #collect(file: string, lexer: typeof import("cjs-module-lexer")): Set<string> {
    const known = this.#found.get(file);
    if (known !== undefined) return known;
    const names = new Set<string>();
    this.#found.set(file, names);
    if (/\.(?:json|node|[cm]?tsx?|jsx)$/.test(file)) return names;
    try {
      const { exports, reexports } = lexer.parse(readFileSync(file, "utf8"), file);
      for (const name of exports) names.add(name);
      for (const other of reexports) {
        const target = this.#resolver.resolve(other, file, "require");
        if (!("file" in target)) continue;
        for (const name of this.#collect(target.file, lexer)) names.add(name);
      }
    } catch {
      // Node gives a file that its lexer cannot read the default export alone.
    }
    return names;
  }
}

/**
 * The module that stands for a CommonJS file.
 *
 * @param file absolute
 * @param names that it exports beside the default
 * @param isTyped whether the default of a file that was compiled from a module is that module's, as
 *   compilers of TypeScript have it
 * @param part specifier of the file with the CommonJS part
 */
export function standIn(
  file: string,
  access: Access,
  names: Iterable<string>,
  isTyped: boolean,
  part: string,
): OnLoadResult {
  const lines = [
    `const it = ${expression(file, access, part)};`,
    isTyped ? "export default it?.__esModule ? it.default : it;" : "export default it;",
  ];
  let i = 0;
  for (const name of names) {
    if (name === "default") continue;
    const value = name === "module.exports" ? "it" : `it?.[${JSON.stringify(name)}]`;
    lines.push(`const _${i} = ${value};export { _${i} as ${JSON.stringify(name)} };`);
    i++;
  }
  return { contents: lines.join("\n"), loader: "js", resolveDir: path.dirname(file) };
}

/** What a module gets that requires a CommonJS file. */
export function requiredStandIn(file: string, access: Access, part: string): OnLoadResult {
  const contents = `module.exports = ${expression(file, access, part)};`;
  return { contents, loader: "js", resolveDir: path.dirname(file) };
}

function expression(file: string, access: Access, part: string): string {
  if (access.from === "part") {
    return `__fuselage_load(${JSON.stringify(part)})[${JSON.stringify(access.key)}]()`;
  }
  return access.from === "package"
    ? `__fuselage_load(${JSON.stringify(access.name)})`
    : `require(${JSON.stringify(file)})`;
}

/** The entry of the part: what it can load, by key. */
export function partEntry(files: ReadonlyMap<string, string>): string {
  const lines = [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, file]) => `${JSON.stringify(key)}: () => require(${JSON.stringify(file)}),`);
  return `module.exports = {\n${lines.join("\n")}\n};\n`;
}
