/** Scripts for a shell, in a tree that is to be packed. */

import type { FileNode } from "../tree/node.ts";
import { readContents } from "../tree/read-contents.ts";
import { parseShebang, shebangProgram } from "./plain/shebang.ts";

/** Bytes of a script that are looked at. */
const SCRIPT_BYTES = 1 << 20;

/** Shells whose scripts are alike enough to be read for commands. */
const SHELL = /(?:^|\/)(?:ba|da|a|k|mk|z)?sh$/;

/** @param head the first bytes of a file */
export function isShell(head: Buffer): boolean {
  const shebang = parseShebang(head);
  return shebang !== undefined && SHELL.test(shebangProgram(shebang));
}

/** The first bytes of a file, and more of one that is `wanted` whole. */
export async function readScript(
  node: FileNode,
  wanted: (head: Buffer) => boolean,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of readContents(node.contents)) {
    parts.push(part);
    length += part.length;
    if (length >= SCRIPT_BYTES || (parts.length === 1 && !wanted(Buffer.from(part)))) break;
  }
  return Buffer.concat(parts);
}
