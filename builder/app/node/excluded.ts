/** What the user leaves out of a Node app. */
import path from "node:path";
import { exclusion } from "../../tree/exclusion.ts";
import type { Tree } from "../../tree/tree.ts";
import { installedPackage } from "./package.ts";

/**
 * Globs relative to the project. A package is in its node_modules, `node_modules/NAME`, wherever it is
 * installed: hoisted above it, beside who asked for it, or in a store that links lead to.
 */
export class Excluded {
  readonly #project: string;
  readonly #matches: (name: string) => boolean;

  /** @param project absolute, links followed */
  constructor(project: string, globs: readonly string[]) {
    this.#project = project;
    this.#matches = exclusion(globs);
  }

  /** Whether a file or folder, or a folder that it is in, is left out. @param file absolute */
  has(file: string): boolean {
    return this.#names(file).some((name) => {
      const parts = name.split("/");
      return parts.some((_, index) => this.#matches(parts.slice(0, index + 1).join("/")));
    });
  }

  #names(file: string): string[] {
    const within = path.relative(this.#project, file);
    const names = within.startsWith("../") || within === "" ? [] : [within];
    const at = file.lastIndexOf("/node_modules/");
    if (at >= 0 && installedPackage(file) !== undefined) names.push(file.slice(at + 1));
    return names;
  }

  /** Takes it out of a folder that was read. @param dir where it is */
  takeOut(dir: string, folder: Tree): void {
    for (const { path: name, node } of folder.walk()) {
      if (node.kind !== "directory") continue;
      for (const entry of [...node.entries.keys()]) {
        const file = Buffer.from(`${name}/${entry}`, "latin1").toString("utf8");
        if (this.has(path.join(dir, file))) node.entries.delete(entry);
      }
    }
  }
}
