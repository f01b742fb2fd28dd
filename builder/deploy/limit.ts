/**
 * What ends a request: time, or somebody's signal.
 *
 * A signal that AbortSignal.any or AbortSignal.timeout made, and those that a Request follows, are collected when
 * nobody else holds them, and then end nothing (Node 20). What is here is held by its timer, and whoever waits is
 * ended whether the request hears of it or not.
 */

export interface Limit {
  signal: AbortSignal;
  /** Rejects when it ends. */
  ended: Promise<never>;
  /** Whether it was time that ended it. */
  isLate: () => boolean;
  /** To be called when the request is over. */
  release: () => void;
}

/** @param patience how long, ms @param signal ends it before */
export function limit(patience: number, signal?: AbortSignal): Limit {
  const controller = new AbortController();
  let isLate = false;
  let refuse: (reason: unknown) => void = () => {};
  const ended = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  // Nobody may be waiting for it.
  ended.catch(() => {});
  const end = (reason: unknown) => {
    controller.abort(reason);
    refuse(reason);
  };
  const timer = setTimeout(() => {
    isLate = true;
    end(new Error("it took too long"));
  }, patience);
  const onAbort = () => end(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  return {
    signal: controller.signal,
    ended,
    isLate: () => isLate,
    release() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    },
  };
}
