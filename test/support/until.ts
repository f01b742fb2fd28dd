/** Waits for what comes by itself, with a limit for what hangs. */
import { setTimeout as sleep } from "node:timers/promises";

/** What is waited for comes within moments, on a machine that is much slower within some more, ms. */
export const PATIENCE_MS = 60_000;

/**
 * Looks again and again until there is something to be found.
 *
 * @param what is waited for, for the error
 * @returns the first thing found that is neither undefined nor false
 * @throws when there is none after `PATIENCE_MS`, with what `state` says of what is there instead
 */
export async function until<T>(
  what: string,
  find: () => T | undefined | false,
  state: () => unknown = () => "",
): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = find();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`${what}: not within a minute. ${state()}`);
    await sleep(10);
  }
}
