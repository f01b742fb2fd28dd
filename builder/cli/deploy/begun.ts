/** What an engine has begun is heard to its end, so that a signal leaves nothing that nobody knows of. */
import { BundleError } from "../../errors.ts";
import { interruptible } from "../interruption.ts";
import { note } from "../print.ts";

interface Begun<T> {
  /** What may be left where the end is not heard, in words. */
  left: string;
  work: () => Promise<T>;
  /** Takes back what was made, where that can be. */
  undo?: (made: T) => Promise<void>;
}

/**
 * Does what takes an engine long. After a signal its answer is still waited for, what it made is taken back or
 * told, and the process ends by that signal; a second one ends it at once.
 *
 * @param name of what it is done to, for messages
 */
export function begun<T>(name: string, { left, work, undo }: Begun<T>): Promise<T> {
  const say = (line: string) => note(`${name}: ${line}`);
  let isInterrupted = false;
  const onSignal = () => {
    isInterrupted = true;
    const next = undo === undefined ? "is waited for" : "is waited for and undone";
    say(`interrupted; what the engine has begun ${next}, a second signal ends at once`);
  };
  async function takeBack(made: T): Promise<void> {
    try {
      await undo?.(made);
      say(undo === undefined ? "it is done" : "what was made is taken back");
    } catch (cause) {
      say(`${wordsOf(cause)}; ${left}`);
    }
  }
  return interruptible(
    onSignal,
    async () => {
      let made: T;
      try {
        made = await work();
      } catch (cause) {
        if (isInterrupted) say(wordsOf(cause));
        throw cause;
      }
      if (isInterrupted) await takeBack(made);
      return made;
    },
    () => say(left),
  );
}

/** What happened, and what is to be looked at. */
const wordsOf = (cause: unknown): string =>
  cause instanceof BundleError ? `${cause.message}. ${cause.hint}` : String(cause);
