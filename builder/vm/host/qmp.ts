/** QEMU's machine protocol: a JSON object on each line, and each command gets one answer. */
import type { Duplex } from "node:stream";
import * as errors from "../../errors.ts";

interface Answer {
  return?: unknown;
  error?: { desc: string };
  QMP?: { version: { qemu: { major: number; minor: number; micro: number } } };
}

/** A connection to QEMU's monitor. */
export class Qmp {
  readonly #channel: Duplex;
  readonly #waiting: ((answer: Answer | undefined) => void)[] = [];
  #rest = "";
  #closed = false;

  constructor(channel: Duplex) {
    this.#channel = channel;
    channel.setEncoding("utf8");
    channel.on("data", (part: string) => this.#take(part));
    for (const event of ["close", "error", "end"]) channel.on(event, () => this.#end());
  }

  /**
   * QEMU's greeting, behind which it takes commands.
   *
   * @returns its version
   * @throws E_VM_START when it has ended
   */
  async begin(): Promise<string> {
    const { QMP } = await this.#next("its greeting");
    await this.execute("qmp_capabilities");
    const { major = 0, minor = 0, micro = 0 } = QMP?.version.qemu ?? {};
    return `${major}.${minor}.${micro}`;
  }

  /** @throws E_VM_START when QEMU refuses, with its words, or has ended */
  async execute<T>(command: string, args?: object): Promise<T> {
    const request = { execute: command, ...(args && { arguments: args }) };
    this.#channel.write(`${JSON.stringify(request)}\n`);
    const answer = await this.#next(`an answer to ${command}`);
    if (answer.error !== undefined) {
      throw errors.vmStart(`QEMU refuses ${command}`, { actual: answer.error.desc });
    }
    return answer.return as T;
  }

  async #next(what: string): Promise<Answer> {
    const answer = await new Promise<Answer | undefined>((resolve) => {
      if (this.#closed) resolve(undefined);
      else this.#waiting.push(resolve);
    });
    if (answer !== undefined) return answer;
    throw errors.vmStart("QEMU has ended", { expected: what });
  }

  #take(part: string): void {
    const lines = (this.#rest + part).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const answer = JSON.parse(line) as Answer & { event?: string };
      if (answer.event === undefined) this.#waiting.shift()?.(answer);
    }
  }

  #end(): void {
    this.#closed = true;
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }
}
