/** What has to be undone elsewhere, which takes time, before a signal ends the process. */

/** Called with the signal; resolves when the process may end. */
type Undoing = (signal: NodeJS.Signals) => Promise<void> | undefined;

let pending: Undoing | undefined;

/**
 * While `work` is going on, the first signal is a request to end it: it gets an AbortSignal, and the
 * process ends when it has settled. A second signal ends the process at once.
 *
 * @param onSignal is told of the first one
 * @param onSecond is told of the second one, where what was begun is not undone yet
 */
export async function interruptible<T>(
  onSignal: (signal: NodeJS.Signals) => void,
  work: (signal: AbortSignal) => Promise<T>,
  onSecond: () => void = () => {},
): Promise<T> {
  const abort = new AbortController();
  const running = work(abort.signal);
  const settled = running.then(
    () => {},
    () => {},
  );
  pending = (signal) => {
    pending = () => {
      pending = undefined;
      onSecond();
      return undefined;
    };
    onSignal(signal);
    abort.abort();
    return settled;
  };
  try {
    return await running;
  } finally {
    pending = undefined;
  }
}

/** @returns what is to be waited for before the process may end; undefined: nothing */
export function undoneBy(signal: NodeJS.Signals): Promise<void> | undefined {
  return pending?.(signal);
}
