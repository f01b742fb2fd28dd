/** How far a deployment has come, and who is told of it. */

export interface Watching {
  /** Ends the work; what was made is destroyed before it is over. */
  signal: AbortSignal;
  /** Is told what goes on. */
  onStep: (line: string) => void;
}

/** How often a state is asked for, ms. */
export const PACE = 2000;

/** How far it has come. */
export interface Progress {
  /** Whether the orchestrator may have begun a machine. */
  isBegun: boolean;
  /** What is waited for, in words. */
  at: string;
  /** When it is too late, by the clock of this machine, ms. */
  until: number;
  /** What cut the answer, while nobody knows what was done: it says more than that it took long. */
  lost?: unknown;
}
