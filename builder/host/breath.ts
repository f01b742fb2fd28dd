/** Long loops let others have their turn: signals, a progress bar, and whoever wants them to stop. */

/** How long a loop may keep the event loop to itself, ms. */
const BREATH_MS = 20;

export class Breath {
  readonly #signal: AbortSignal | undefined;
  #rested = performance.now();

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** True when it is time to `take` one. */
  get isDue(): boolean {
    return performance.now() - this.#rested > BREATH_MS;
  }

  /** @throws the reason of an aborted signal */
  async take(): Promise<void> {
    await new Promise(setImmediate);
    this.#signal?.throwIfAborted();
    this.#rested = performance.now();
  }
}
