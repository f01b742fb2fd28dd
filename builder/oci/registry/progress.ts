/** How far the fetching or pushing of an image is. */
export interface FetchProgress {
  /** That arrived, or were there. */
  bytes: number;
  /** Of all that was asked for so far. */
  totalBytes: number;
  /** Whole blobs: layers, manifests and the config. */
  blobs: number;
  /** Of all that was asked for so far. */
  totalBlobs: number;
}

/** Adds up, and tells. */
export class ProgressSum {
  readonly #sum = { bytes: 0, totalBytes: 0, blobs: 0, totalBlobs: 0 };
  readonly #told: ((progress: FetchProgress) => void) | undefined;

  constructor(told: ((progress: FetchProgress) => void) | undefined) {
    this.#told = told;
  }

  add(more: Partial<FetchProgress>): void {
    for (const key of ["bytes", "totalBytes", "blobs", "totalBlobs"] as const) {
      this.#sum[key] += more[key] ?? 0;
    }
    this.#told?.({ ...this.#sum });
  }
}
