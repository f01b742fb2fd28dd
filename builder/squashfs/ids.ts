// The id table: every uid and gid once; inodes have 16-bit indexes into it.

import * as errors from "../errors.ts";

const MAX_IDS = 65535; // id_count of the superblock has 16 bits

export class IdTable {
  private readonly ids = new Map<number, number>();

  /** Index of a uid or gid. Throws E_IMAGE_LIMIT at the 65,536th. */
  index(id: number): number {
    let index = this.ids.get(id);
    if (index === undefined) {
      index = this.ids.size;
      if (index === MAX_IDS) {
        throw errors.imageLimit("the image", `it has more than ${MAX_IDS} different owners`);
      }
      this.ids.set(id, index);
    }
    return index;
  }

  get count(): number {
    return this.ids.size;
  }

  encode(): Buffer {
    const bytes = Buffer.alloc(this.ids.size * 4);
    for (const [id, index] of this.ids) bytes.writeUInt32LE(id, index * 4);
    return bytes;
  }
}
