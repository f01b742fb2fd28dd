/**
 * The app's bytes between this process and the guest. Whoever is slow is waited for: nothing is read that the other
 * side has not taken yet.
 */
import type { Duplex, Readable, Writable } from "node:stream";

/** Counts what goes from the guest to a stream of ours, until `total` bytes have been written. */
export class OutputRelay {
  readonly #from: Duplex;
  readonly #onClosed: () => void;
  #count = 0;
  #total = Infinity;
  #mark = { total: Infinity, reach: () => {} };
  #closed = false;
  #finish: () => void = () => {};
  /** Resolves when all is written, or nobody reads it, or nothing more comes. */
  readonly finished: Promise<void>;

  /** @param onFirst is told of the first byte @param onClosed is told that nobody reads `to` any more */
  constructor(
    from: Duplex,
    to: Writable,
    { onPart, onClosed }: { onPart(part: Buffer): void; onClosed(): void },
  ) {
    this.#from = from;
    this.#onClosed = onClosed;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    to.on("error", () => this.#close());
    from.on("data", (part: Buffer) => {
      onPart(part);
      if (this.#closed) return this.#took(part.length);
      from.pause();
      to.write(part, () => {
        // An error has been told by its event.
        this.#took(part.length);
        from.resume();
      });
    });
    from.on("error", () => {});
    from.on("close", () => this.#finish());
  }

  /** Tells how many bytes there are in all. */
  expect(total: number): void {
    this.#total = total;
    this.#took(0);
  }

  /** Resolves when so many bytes have been written, or nothing more comes. Only the last that asks is answered. */
  async reach(total: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#mark = { total, reach: resolve };
    });
    this.#took(0);
    await Promise.race([reached, this.finished]);
  }

  /** Waits no longer for whoever reads: what is left is passed over. */
  giveUp(): void {
    this.#close();
    this.#from.resume();
    this.#finish();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClosed();
  }

  #took(bytes: number): void {
    this.#count += bytes;
    if (this.#count >= this.#mark.total) this.#mark.reach();
    if (this.#count >= this.#total) this.#finish();
  }
}

/**
 * Passes on what is read, and tells how many bytes it was when that ends.
 *
 * @returns stops it
 */
export function relayInput(from: Readable, to: Duplex, onEnd: (bytes: number) => void): () => void {
  let count = 0;
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    onEnd(count);
  };
  const take = (part: Buffer) => {
    count += part.length;
    if (!to.write(part)) {
      from.pause();
      to.once("drain", () => from.resume());
    }
  };
  to.on("error", () => {});
  from.on("data", take);
  from.on("end", end);
  // A standard input that was closed, or is a folder, has nothing to say.
  from.on("error", end);
  from.on("close", end);
  from.resume();
  return () => {
    ended = true;
    from.removeListener("data", take);
    from.pause();
  };
}
