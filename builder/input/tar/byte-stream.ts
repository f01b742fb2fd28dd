/** Bytes of a stream, taken as many at a time as a reader wants. */

/** Bytes in pieces. Who can leave some out without reading them says how. */
export interface Chunks extends AsyncIterable<Uint8Array> {
  /** Leaves out up to `size` of the bytes that come next; says how many. */
  skip?(size: number): number;
}

export class ByteStream {
  readonly #source: Chunks;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  #position = 0;

  constructor(chunks: Chunks) {
    this.#source = chunks;
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Bytes that were handed out or left out so far. */
  get position(): number {
    return this.#position;
  }

  /** At most `size` bytes, one at least; undefined at the end. What was handed out stays as it is. */
  async some(size: number): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      this.#rest = value;
    }
    const taken = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(taken.length);
    this.#position += taken.length;
    return taken;
  }

  /** Exactly `size` bytes, or fewer at the end. */
  async read(size: number): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    let left = size;
    while (left > 0) {
      const part = await this.some(left);
      if (part === undefined) break;
      parts.push(part);
      left -= part.length;
    }
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) {
      return Buffer.from(only.buffer, only.byteOffset, only.length);
    }
    return Buffer.concat(parts);
  }

  /** Leaves out `size` bytes, or fewer at the end; says how many. */
  async skip(size: number): Promise<number> {
    let left = size;
    while (left > 0) {
      const passed = this.#rest.length > 0 ? 0 : (this.#source.skip?.(left) ?? 0);
      this.#position += passed;
      left -= passed;
      if (left === 0) break;
      const part = await this.some(left);
      if (part === undefined) break;
      left -= part.length;
    }
    return size - left;
  }

  /** Ends early: whoever makes the bytes may stop. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
