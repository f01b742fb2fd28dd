// Metadata: a stream cut into blocks of 8 KiB, each compressed for itself behind a 2-byte header.

import { squashfsFormat } from "../generated/spec.ts";

/** Bytes of an uncompressed metadata block; only the last of a stream may be shorter. */
export const METADATA_SIZE = squashfsFormat.metadataBytes;

/** In a block's header: what follows is not compressed. */
export const METADATA_STORED = 0x8000;

/** Compresses one block; null where the result would not be smaller. */
export type Compress = (bytes: Uint8Array) => Uint8Array | null;

/** A place in a metadata stream. */
export interface MetadataPosition {
  /** Of the block's header, bytes from the start of the stream as it is on disk. */
  block: number;
  /** Bytes into the uncompressed block, 0..8191. */
  offset: number;
}

/** A position as the format packs it: block in the upper 48 bits, offset in the lower 16. */
export function metadataReference(position: MetadataPosition): bigint {
  return (BigInt(position.block) << 16n) | BigInt(position.offset);
}

/** Collects one metadata stream in memory. */
export class MetadataWriter {
  private readonly compress: Compress;
  private readonly blocks: Uint8Array[] = [];
  private readonly starts: number[] = [];
  private onDisk = 0;
  private buffer = Buffer.alloc(METADATA_SIZE);
  private used = 0;

  constructor(compress: Compress) {
    this.compress = compress;
  }

  /** Where the next byte will be. */
  get position(): MetadataPosition {
    return { block: this.onDisk, offset: this.used };
  }

  append(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      const part = bytes.subarray(from, from + METADATA_SIZE - this.used);
      this.buffer.set(part, this.used);
      this.used += part.length;
      from += part.length;
      // At once, so that `position` is right: it names the block's place on disk.
      if (this.used === METADATA_SIZE) this.closeBlock();
    }
  }

  /** Ends the stream. Returns its bytes and where each block starts in them. */
  finish(): { bytes: Uint8Array[]; size: number; starts: number[] } {
    if (this.used > 0) this.closeBlock();
    return { bytes: this.blocks, size: this.onDisk, starts: this.starts };
  }

  private closeBlock(): void {
    const raw = this.buffer.subarray(0, this.used);
    const compressed = this.compress(raw);
    const header = Buffer.alloc(2);
    header.writeUInt16LE(compressed === null ? METADATA_STORED | raw.length : compressed.length);
    const body = compressed ?? Buffer.from(raw);
    this.starts.push(this.onDisk);
    this.blocks.push(header, body);
    this.onDisk += header.length + body.length;
    this.used = 0;
  }
}
