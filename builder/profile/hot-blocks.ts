/** Which blocks of a start are stored uncompressed: the first that it reads, as far as a budget goes. */
import { contentSize, type FileNode } from "../tree/node.ts";
import type { HotFile } from "./apply-profile.ts";

export interface HotBlocks {
  /** Numbers of blocks, by their files; the last of a file may be its end. */
  readonly blocks: ReadonlyMap<FileNode, readonly number[]>;
  /** Of their contents. */
  readonly bytes: number;
}

/**
 * Takes blocks in the order of use until one does not fit. What counts is their bytes as they are: by how much an
 * image grows is only known when they have been compressed, and never more.
 *
 * @param budget bytes
 * @param blockSize of the image, bytes
 */
export function hotBlocks(files: readonly HotFile[], budget: number, blockSize: number): HotBlocks {
  const blocks = new Map<FileNode, number[]>();
  let bytes = 0;
  for (const [node, block] of blocksInOrder(files, blockSize)) {
    const size = Math.min(blockSize, contentSize(node.contents) - block * blockSize);
    if (bytes + size > budget) break;
    bytes += size;
    const own = blocks.get(node) ?? [];
    own.push(block);
    blocks.set(node, own);
  }
  return { blocks, bytes };
}

/** Each once, where it is used first. */
function* blocksInOrder(
  files: readonly HotFile[],
  blockSize: number,
): Generator<[FileNode, number]> {
  const met = new Map<FileNode, Set<number>>();
  for (const { node, ranges } of files) {
    const own = met.get(node) ?? new Set();
    met.set(node, own);
    for (const { start, end } of ranges) {
      for (let block = Math.floor(start / blockSize); block * blockSize < end; block++) {
        if (own.has(block)) continue;
        own.add(block);
        yield [node, block];
      }
    }
  }
}
