/** For which machines the programs and libraries of a tree are. */

import { hasElfMagic, MACHINE_HEAD, machineName, machineOf } from "../elf/read.ts";
import type { Architecture } from "../host/paths.ts";
import { LIBRARY_NAME } from "../libraries/elf-objects.ts";
import { contentSize, type FileNode } from "../tree/node.ts";
import { displayPath } from "../tree/path.ts";
import { readContents } from "../tree/read-contents.ts";
import type { Tree } from "../tree/tree.ts";
import { type Warning, warning } from "../warnings.ts";

/** A program for another machine. */
export interface ForeignProgram {
  /** Its path, for messages. */
  shown: string;
  /** As `uname -m` says it. */
  machine: string;
}

/** Machine of an ELF file by its first bytes, as `uname -m` says it; undefined for other files. */
export function machineIn(head: Buffer): string | undefined {
  if (head.length < MACHINE_HEAD || !hasElfMagic(head)) return undefined;
  const machine = machineOf(head);
  return machine === undefined ? "a big-endian machine" : machineName(machine);
}

/** The same of a file of a tree. */
export async function machineOfNode({ contents }: FileNode): Promise<string | undefined> {
  // What is in an image is not read before it is taken over.
  if (contents.from === "image" || contentSize(contents) < MACHINE_HEAD) return undefined;
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of readContents(contents)) {
    parts.push(part);
    length += part.length;
    if (length >= MACHINE_HEAD) break;
  }
  return machineIn(Buffer.concat(parts));
}

/**
 * Executable files and libraries of the tree, in its order.
 *
 * @returns how many are for `arch`, and those that are not
 */
export async function programMachines(
  tree: Tree,
  arch: Architecture,
): Promise<{ right: number; foreign: ForeignProgram[] }> {
  let right = 0;
  const foreign: ForeignProgram[] = [];
  for (const { path, node } of tree.walk()) {
    if (node.kind !== "file") continue;
    if ((node.mode & 0o111) === 0 && !LIBRARY_NAME.test(path)) continue;
    const machine = await machineOfNode(node);
    if (machine === arch) right++;
    else if (machine !== undefined) foreign.push({ shown: displayPath(path), machine });
  }
  return { right, foreign };
}

/**
 * A folder whose programs are all for other machines. Beside one for the right machine they are what
 * packages carry for every machine.
 */
export async function foreignWarnings(tree: Tree, arch: Architecture): Promise<Warning[]> {
  const { right, foreign } = await programMachines(tree, arch);
  const [first] = foreign;
  if (first === undefined || right > 0) return [];
  const more = foreign.length > 1 ? ` and ${foreign.length - 1} more` : "";
  const message = `${first.shown} is for ${first.machine}${more}, the bundle for ${arch}`;
  return [warning("W_PROGRAM_MACHINE", message)];
}
