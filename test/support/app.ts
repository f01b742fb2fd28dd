/** A real app: how it is made, how it is packed, and what it does once it is a file. */
import type { Need } from "./needs.ts";
import type { Outcome, RunOptions } from "./process.ts";

/** A bundle that was built, as one of those who start it. */
export interface Started {
  /** The bundle. */
  file: string;
  /** The folder in which the app was made. */
  dir: string;
  /** The HOME of whoever starts it, empty at first. */
  home: string;
  /** Whether it is root who starts it. */
  root: boolean;
  /** Runs the bundle to its end. */
  run(args?: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** Runs anything as the same user, with the same HOME. */
  command(name: string, args: readonly string[], options?: RunOptions): Promise<Outcome>;
}

export interface AppCase {
  needs?: readonly Need[];
  /** Makes the app below `dir`. @returns arguments of `bundle build`, without the output */
  make(dir: string): readonly string[] | Promise<readonly string[]>;
  /** What the build must print on stdout and stderr. */
  says?: RegExp;
  /** What the app must do, for root and for a user. */
  check(started: Started): void | Promise<void>;
  /** Milliseconds that a build may take. Default 120 s. */
  timeout?: number;
}
