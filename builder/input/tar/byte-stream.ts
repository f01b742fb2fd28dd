/** Bytes of a stream, taken as many at a time as a reader wants. */

export class ByteStream {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
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

  /** Ends early: whoever makes the bytes may stop. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
