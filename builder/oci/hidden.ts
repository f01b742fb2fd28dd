/**
 * What of the layers below is not in the image, as far as names alone tell: links of the tree are not
 * followed. For decisions that are about work and not about the result, which is merge.ts's.
 */
import type { LayerEntry } from "./layer.ts";
import { OPAQUE, WHITEOUT } from "./merge.ts";

export class Hidden {
  /** Other things than folders, and what is taken away with all that is in it. */
  readonly #paths = new Set<string>();
  /** Folders of which nothing is left. */
  readonly #opaque = new Set<string>();

  /** A layer that lies above all that are asked for from here on. */
  add(entries: readonly LayerEntry[]): void {
    for (const { name, kind } of entries) {
      const names = namesIn(name);
      const last = names.pop() ?? "";
      const folder = names.join("/");
      if (last === OPAQUE) this.#opaque.add(folder);
      else if (last.startsWith(WHITEOUT)) {
        this.#paths.add(joined(folder, last.slice(WHITEOUT.length)));
      } else if (kind !== "directory") this.#paths.add(joined(folder, last));
    }
  }

  has(name: string): boolean {
    let folder = "";
    for (const part of namesIn(name)) {
      if (this.#opaque.has(folder)) return true;
      folder = joined(folder, part);
      if (this.#paths.has(folder)) return true;
    }
    return false;
  }
}

const namesIn = (path: string) => path.split("/").filter((part) => part !== "" && part !== ".");
const joined = (folder: string, name: string) => (folder === "" ? name : `${folder}/${name}`);
