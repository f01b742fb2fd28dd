/**
 * What becomes of the ELF files of a tree: another search path, a dynamic linker of their own. All changes
 * of one file are made at once.
 *
 * A changed file is a copy in the workspace. Of one whose digest is known, an interpreter of a hundred
 * megabytes, there is no copy: the tree takes the file as it is and the few pages that differ, which are kept
 * for the next build.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { DynamicEdit } from "../elf/dynamic-edit.ts";
import { type OwnLoader, startByOwnLoader } from "../elf/own-loader.ts";
import { machineName } from "../elf/read.ts";
import { withRunPath } from "../elf/run-path.ts";
import * as errors from "../errors.ts";
import type { Learned } from "../host/learned.ts";
import { stubPath } from "../host/paths.ts";
import { diskContents } from "../input/add-input.ts";
import { type Contents, type FileNode, pathOnDisk } from "../tree/node.ts";
import { bytesOf, displayPath } from "../tree/path.ts";
import { decodeChange, encodeChange, piecesOf } from "./changed-contents.ts";
import type { ElfObject } from "./elf-objects.ts";

const UNCHANGED: readonly errors.ErrorCode[] = ["E_ELF_PAYLOAD", "E_ELF_UNSUPPORTED"];

interface Planned {
  object: ElfObject;
  edit: DynamicEdit;
}

/** How a program starts. */
export interface Start {
  loader: OwnLoader;
  program: ElfObject;
}

export interface Made {
  contents: Contents;
  /** Bytes without what its start added. */
  led: number;
}

type OnDisk = Contents & { from: "disk" };

export class ElfChanges {
  readonly #workspace: () => string;
  readonly #learned: Learned;
  readonly #asked: boolean;
  readonly #planned = new Map<FileNode, Planned>();
  #count = 0;

  /**
   * @param workspace hands out a private temporary folder, which is made when it is asked for
   * @param asked a file that cannot be given a search path is an error; else it stays as it is
   */
  constructor(workspace: () => string, learned: Learned, asked: boolean) {
    this.#workspace = workspace;
    this.#learned = learned;
    this.#asked = asked;
  }

  /** Plans a search path for a file of the tree; `object` is the file that it was made of. */
  plan(node: FileNode, object: ElfObject, edit: DynamicEdit): void {
    this.#planned.set(node, { object, edit });
  }

  /**
   * Takes a file off the list: what is returned makes its contents, once for each way to start it. The
   * node is not changed.
   */
  take(node: FileNode): (start?: Start) => Promise<Made> {
    const planned = this.#planned.get(node);
    this.#planned.delete(node);
    const { contents } = node;
    return async (start) => {
      if (contents.from !== "disk") {
        throw errors.internal(new Error("an ELF file that is not on disk was to be changed"));
      }
      return this.#make(contents, planned, start);
    };
  }

  /** Makes all that is planned and was not taken. @throws E_ELF_*, E_FILE_UNREADABLE */
  async finish(): Promise<void> {
    for (const node of [...this.#planned.keys()]) {
      node.contents = (await this.take(node)()).contents;
    }
  }

  async #make(contents: OnDisk, planned: Planned | undefined, start?: Start): Promise<Made> {
    const { digest } = contents;
    if (digest !== undefined && contents.change === undefined) {
      return this.#without(contents, digest, planned, start);
    }
    const bytes = await bytesOfFile(contents);
    const { changed, led } = await this.#changed(bytes, planned, start);
    if (changed === bytes) return { contents, led };
    const copy = path.join(this.#workspace(), `elf-${this.#count++}`);
    await writeFile(copy, changed);
    return { contents: await diskContents(copy), led };
  }

  /** Without a copy: the file as it is, and what differs. */
  async #without(
    contents: OnDisk,
    digest: string,
    planned: Planned | undefined,
    start: Start | undefined,
  ): Promise<Made> {
    const key = [digest, describe(planned), this.#asked, start?.loader, start && stubDigest(start)];
    const known = await this.#learned.get(["change", ...key], async () => {
      const bytes = await bytesOfFile(contents);
      const found = createHash("sha256").update(bytes).digest("hex");
      const shown = displayPath(pathOnDisk(contents));
      if (found !== digest) throw errors.fileChanged(shown, "it was replaced by another file");
      const { changed, led } = await this.#changed(bytes, planned, start);
      return encodeChange({ size: changed.length, led, pieces: piecesOf(bytes, changed) });
    });
    const { size, led, pieces } = decodeChange(known);
    const change = { from: contents.size, pieces };
    const name = createHash("sha256").update(`${digest} `).update(known).digest("hex");
    return { contents: { ...contents, size, change, digest: name }, led };
  }

  async #changed(bytes: Buffer, planned: Planned | undefined, start: Start | undefined) {
    const led = planned === undefined ? bytes : this.#led(bytes, planned);
    const changed =
      start === undefined ? led : await startByOwnLoader(led, start.loader, start.program.shown);
    return { changed, led: led.length };
  }

  #led(bytes: Buffer, { object, edit }: Planned): Buffer {
    try {
      return withRunPath(bytes, object.facts, edit, object.file);
    } catch (cause) {
      if (!this.#asked && cause instanceof errors.BundleError && UNCHANGED.includes(cause.code)) {
        return bytes;
      }
      throw cause;
    }
  }
}

function bytesOfFile(contents: OnDisk): Promise<Buffer> {
  return readFile(bytesOf(pathOnDisk(contents))).catch((cause: unknown) => {
    throw errors.fileUnreadable(displayPath(pathOnDisk(contents)), cause);
  });
}

/** All that decides what becomes of a file, as JSON can say it. */
function describe(planned: Planned | undefined): unknown {
  if (planned === undefined) return undefined;
  const { runPath, renamed, spareEntries } = planned.edit;
  return { runPath, renamed: renamed && [...renamed], spareEntries };
}

/** Of the code that a start puts into a program. */
function stubDigest({ program }: Start): string {
  const stub = readFileSync(stubPath(machineName(program.facts.elf.machine), "loader"));
  return createHash("sha256").update(stub).digest("hex");
}
