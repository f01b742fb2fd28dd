/** The terminal of the user: raw while an app in a machine has it, as it was before and after. */
import { spawnSync } from "node:child_process";
import type { ReadStream, WriteStream } from "node:tty";

export interface WindowSize {
  rows: number;
  columns: number;
}

/** Changes what Node's raw mode has no word for. */
const stty = (setting: string) =>
  spawnSync("stty", [setting], { stdio: ["inherit", "ignore", "ignore"] });

/** What a terminal is used through. */
export class Terminal {
  readonly #input: ReadStream;
  readonly #output: WriteStream;
  #restore: (() => void) | undefined;

  constructor(input: ReadStream, output: WriteStream) {
    this.#input = input;
    this.#output = output;
  }

  get size(): WindowSize {
    const { rows, columns } = this.#output;
    return { rows: rows || 24, columns: columns || 80 };
  }

  /**
   * Hands keys on as they are, Ctrl-C too. That is put back by `leave`, and by the end of the process, whatever ends
   * it but SIGKILL.
   *
   * @param onResize is told each new size
   */
  enter(onResize: (size: WindowSize) => void): void {
    const resized = () => onResize(this.size);
    const leave = () => this.leave();
    this.#input.setRawMode(true);
    // Node's raw mode still puts a carriage return before each newline, as the app's own terminal has done.
    stty("-opost");
    this.#output.on("resize", resized);
    process.on("exit", leave);
    this.#restore = () => {
      this.#input.setRawMode(false);
      this.#output.removeListener("resize", resized);
      process.removeListener("exit", leave);
    };
  }

  /** Keys that send signals do so again; the rest stays as it is until `leave`. */
  hearSignals(): void {
    if (this.#restore !== undefined) stty("isig");
  }

  leave(): void {
    this.#restore?.();
    this.#restore = undefined;
  }
}
