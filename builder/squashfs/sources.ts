// Where the contents of files come from, as the native pipeline takes it.

import { type ContentsJob, IDENTITY, NONE } from "../native/addon.ts";
import type { Change, Contents, FileIdentity } from "../tree/node.ts";
import { ScannedIdentity } from "../tree/scanned-file.ts";
import { type Plan, plannedFile } from "./plan.ts";

type OnDisk = Contents & { from: "disk" | "region" };

type Sources = Pick<
  ContentsJob,
  | ("folders" | "names" | "folderOf")
  | ("identities" | "tableOf" | "rowOf" | "parts")
  | ("memory" | "changes")
>;

/** Those of `files`, in their order. */
export function sources(plan: Plan, files: Uint32Array): Sources {
  const folders = new Map<string, number>([["", 0]]);
  const names: string[] = new Array(files.length).fill("");
  const folderOf = new Uint32Array(files.length);
  const identities = new Identities(files.length);
  const parts: number[] = [];
  const memory: Record<number, Uint8Array> = {};
  const changes: Record<number, Change> = {};
  files.forEach((number, i) => {
    const { contents } = plannedFile(plan, number);
    if (contents.from === "image") {
      throw new TypeError("contents of an image that is taken over are not written");
    }
    if (contents.from === "memory") {
      memory[i] = contents.bytes;
      return;
    }
    identities.add(i, contents);
    const isPart = contents.from === "region";
    const folder = isPart ? contents.path : contents.folder;
    if (!isPart) names[i] = contents.name;
    folderOf[i] = folders.get(folder) ?? folders.size;
    folders.set(folder, folderOf[i] as number);
    if (isPart) parts.push(i, contents.offset, contents.size);
    else if (contents.change !== undefined) {
      changes[i] = contents.change;
      parts.push(i, 0, contents.size);
    }
  });
  return {
    ...{ folders: [...folders.keys()], names, folderOf },
    ...{ ...identities.columns(), parts: Float64Array.from(parts) },
    ...{ memory, changes },
  };
}

/** Where it is said what files on disk were: in the tables of the folders that were scanned, or in one of ours. */
class Identities {
  /** Ours is the first. */
  readonly #tables = new Map<BigInt64Array | undefined, number>([[undefined, 0]]);
  readonly #own: bigint[] = [];
  /** Rows of ours: many files may be parts of one. */
  readonly #rows = new Map<FileIdentity, number>();
  readonly #tableOf: Uint32Array;
  readonly #rowOf: Uint32Array;

  /** @param files how many there are */
  constructor(files: number) {
    this.#tableOf = new Uint32Array(files);
    this.#rowOf = new Uint32Array(files).fill(NONE);
  }

  /** @param i index of the file */
  add(i: number, contents: OnDisk): void {
    const { identity } = contents;
    if (identity instanceof ScannedIdentity) {
      const { table, row } = identity;
      this.#tableOf[i] = this.#tables.get(table) ?? this.#tables.size;
      this.#tables.set(table, this.#tableOf[i] as number);
      this.#rowOf[i] = row;
      return;
    }
    const row = this.#rows.get(identity) ?? this.#append(contents);
    this.#rows.set(identity, row);
    this.#rowOf[i] = row;
  }

  #append(contents: OnDisk): number {
    const { dev, ino, mtimeNs, ctimeNs } = contents.identity;
    const size = contents.from === "region" ? contents.fileSize : contents.size;
    const row = this.#own.length / IDENTITY.columns;
    this.#own.push(BigInt(size), dev, ino, mtimeNs, ctimeNs);
    return row;
  }

  columns(): Pick<Sources, "identities" | "tableOf" | "rowOf"> {
    const own = BigInt64Array.from(this.#own);
    const identities = Array.from(this.#tables.keys(), (table) => table ?? own);
    return { identities, tableOf: this.#tableOf, rowOf: this.#rowOf };
  }
}
