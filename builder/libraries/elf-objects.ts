/** ELF files of the tree and of this machine, read once each. */
import { realpath } from "node:fs/promises";
import path from "node:path";
import { type DynamicFacts, readDynamic } from "../elf/dynamic.ts";
import { hasElfMagic, machineName } from "../elf/read.ts";
import { BundleError } from "../errors.ts";
import type { Architecture } from "../host/paths.ts";
import { openRegularFile } from "../host/status.ts";
import { type FileNode, pathOnDisk } from "../tree/node.ts";
import { displayPath } from "../tree/path.ts";
import type { Tree } from "../tree/tree.ts";
import { withinSysroot } from "./libc/sysroot.ts";

export interface ElfObject {
  /** As messages name it: a path below the root of the tree, or one of this machine. */
  readonly shown: string;
  /** Where it is on this machine: as it was found, which is what $ORIGIN goes by, and in truth. */
  readonly file: string;
  readonly real: string;
  /** Where it is in the tree, byte string, and its node; a library of this machine has neither. */
  readonly path?: string;
  readonly node?: FileNode;
  /** sha256 of the file, hexadecimal, where it is known. */
  readonly digest?: string;
  readonly facts: DynamicFacts;
}

/** A program names its dynamic linker; a library mostly does not. */
export const isProgram = (object: ElfObject) => object.facts.interpreter !== undefined;

export const isMuslLinker = (interpreter: string) =>
  path.basename(interpreter).startsWith("ld-musl-");

/** Whose rules find an object's libraries. */
export const usesMusl = (object: ElfObject) => isMuslLinker(object.facts.interpreter ?? "");

/** Reads ELF files for one architecture. */
export class ElfFiles {
  readonly arch: Architecture;
  readonly #sysroot: string;
  readonly #known = new Map<string, Promise<DynamicFacts | undefined>>();

  /** @param sysroot whose links lead to places of it; "" for none */
  constructor(arch: Architecture, sysroot = "") {
    this.arch = arch;
    this.#sysroot = sysroot;
  }

  /** Where a file is in truth; undefined where there is none. */
  async real(file: string): Promise<string | undefined> {
    const inside = withinSysroot(this.#sysroot, file);
    return inside && (await realpath(inside).catch(() => undefined));
  }

  /** What a file asks of the dynamic linker; undefined where there is none for this architecture. */
  async facts(file: string): Promise<DynamicFacts | undefined> {
    let known = this.#known.get(file);
    if (known === undefined) {
      const inside = withinSysroot(this.#sysroot, file);
      known = inside === undefined ? Promise.resolve(undefined) : readFacts(inside);
      this.#known.set(file, known);
    }
    const facts = await known;
    if (facts === undefined || facts.elf.bits !== 64) return undefined;
    return machineName(facts.elf.machine) === this.arch ? facts : undefined;
  }
}

/** Undefined for what is no ELF file, cannot be read, or contradicts itself: ld.so passes by too. */
async function readFacts(file: string): Promise<DynamicFacts | undefined> {
  const handle = await openRegularFile(file).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const head = Buffer.alloc(4);
    const { bytesRead } = await handle.read(head, 0, 4, 0).catch(() => ({ bytesRead: 0 }));
    return bytesRead === 4 && hasElfMagic(head) ? await readDynamic(handle, file) : undefined;
  } catch (cause) {
    if (cause instanceof BundleError) return undefined;
    throw cause;
  } finally {
    await handle.close();
  }
}

/** Names of shared libraries and Node addons; programs have an executable bit instead. */
export const LIBRARY_NAME = /\.so(\.[0-9.]+)?$|\.node$/;

/** The ELF files of a tree for this architecture, in order of their paths, each inode once. */
export async function treeObjects(tree: Tree, files: ElfFiles): Promise<ElfObject[]> {
  const objects: ElfObject[] = [];
  const seen = new Set<FileNode>();
  for (const { path, node } of tree.walk()) {
    if (node.kind !== "file" || node.contents.from !== "disk" || seen.has(node)) continue;
    if ((node.mode & 0o111) === 0 && !LIBRARY_NAME.test(path)) continue;
    seen.add(node);
    const file = Buffer.from(pathOnDisk(node.contents), "latin1").toString("utf8");
    const facts = await files.facts(file);
    if (facts === undefined) continue;
    // $ORIGIN of a program is where it is, not where a link to it is.
    const real = await realpath(file);
    const { digest, change } = node.contents;
    const known = digest !== undefined && change === undefined ? { digest } : {};
    objects.push({ shown: displayPath(path), file: real, real, path, node, ...known, facts });
  }
  return objects;
}
