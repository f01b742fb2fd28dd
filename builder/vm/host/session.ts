/** An app in a machine, from the machine's start to the app's end. */
import { randomBytes } from "node:crypto";
import os from "node:os";
import type { Readable, Writable } from "node:stream";
import * as errors from "../../errors.ts";
import { guestProtocol } from "../../generated/spec.ts";
import { Control, clockText, type GuestLine } from "./control.ts";
import { Deferred } from "./deferred.ts";
import type { Machine } from "./machine.ts";
import { OutputRelay, relayInput } from "./relay.ts";
import type { Terminal } from "./terminal.ts";

/** Where the app's bytes come from and go to. */
export interface Stdio {
  /** Undefined: the app's input stays open, and nothing comes. */
  stdin: Readable | undefined;
  stdout: Writable;
  stderr: Writable;
}

/** How the app ended: one of the two. */
export interface Ending {
  status: number | null;
  /** Number of the signal that ended it. */
  signal: number | null;
}

/** Milliseconds since QEMU was started; undefined: that did not happen. */
export interface Times {
  /** The guest's first line. */
  hello?: number;
  /** The app runs, or goes on. */
  up?: number;
  firstByte?: number;
  ended?: number;
}

/** How long a machine may take to its end after a signal has ended the command, ms. */
const LAST = 10_000;

/** Bytes of entropy that a restored machine gets. */
const SEED_BYTES = 64;

export class Session {
  readonly times: Times = {};
  /** The largest resident size of the guest's init, KiB; 0 until the app has ended. */
  resident = 0;
  readonly #machine: Machine;
  readonly #stdio: Stdio;
  readonly #began = performance.now();
  readonly #control: Control;
  readonly #relays: { out: OutputRelay; err: OutputRelay };
  readonly #onNotice: (text: string) => void;
  readonly #onOutput: ((part: Buffer) => void)[] = [];
  readonly #hello = new Deferred<void>();
  readonly #up = new Deferred<void>();
  readonly #exit = new Deferred<Ending>();
  readonly #paused = new Deferred<void>();
  /** Signals that were sent to the app. */
  readonly #sent: NodeJS.Signals[] = [];
  #appHasEnded = false;
  /** By what the command ends, in place of the app's ending. */
  #interruption: Ending | undefined;
  #terminal: Terminal | undefined;
  #stopInput: () => void = () => {};

  constructor(machine: Machine, stdio: Stdio, onNotice: (text: string) => void) {
    this.#machine = machine;
    this.#stdio = stdio;
    this.#onNotice = onNotice;
    this.#control = new Control(
      machine.streams.ctl,
      (line) => this.#take(line),
      () => this.#lost(),
    );
    this.#relays = {
      out: this.#relay("out", stdio.stdout),
      err: this.#relay("err", stdio.stderr),
    };
  }

  /** Resolves with the first line of a guest of ours. */
  get hello(): Promise<void> {
    return this.#hello.promise;
  }

  /** Resolves when the app runs. */
  get up(): Promise<void> {
    return this.#up.promise;
  }

  /** Milliseconds since QEMU was started. */
  get elapsed(): number {
    return performance.now() - this.#began;
  }

  /** Calls `listener` with what the app prints. */
  onOutput(listener: (part: Buffer) => void): void {
    this.#onOutput.push(listener);
  }

  /**
   * Lets the app's processes stand still: what they would do between a restore and new random numbers, all that
   * are restored would do with the same ones. Resolves when what they had printed is here, which is said once.
   *
   * @throws E_VM_START, E_VM_CRASHED
   */
  async pause(): Promise<void> {
    this.#control.send("pause");
    await this.#paused.promise;
  }

  /** A restored machine goes on: its clock is behind, and its generator is that of all others of the snapshot. */
  greetRestored(): void {
    this.#control.send("restored");
    this.#control.send("time", clockText(Date.now()));
    this.#control.send("seed", randomBytes(SEED_BYTES).toString("hex"));
    this.#control.send("goOn");
    this.#hello.resolve();
    this.#isUp();
  }

  /**
   * Sends a signal to the app. When that has ended the signal is the command's, which waits no longer for whoever reads
   * the output; a second one does not wait for the machine either.
   */
  signal(name: NodeJS.Signals): void {
    if (this.#appHasEnded) {
      this.#interrupt(name);
      return;
    }
    this.#sent.push(name);
    this.#control.send("signal", os.constants.signals[name]);
  }

  /** Puts the clock right. */
  setClock(): void {
    this.#control.send("time", clockText(Date.now()));
  }

  /**
   * Lets the app have its input, and waits for its end and for all that it printed.
   *
   * @throws E_VM_CRASHED
   */
  async run(terminal?: Terminal): Promise<Ending> {
    const { stdin } = this.#stdio;
    this.#terminal = terminal;
    terminal?.enter(({ rows, columns }) => this.#control.send("window", rows, columns));
    if (terminal !== undefined) {
      const { rows, columns } = terminal.size;
      this.#control.send("window", rows, columns);
    }
    if (stdin !== undefined) {
      this.#stopInput = relayInput(stdin, this.#machine.streams.in, (bytes) =>
        this.#control.send("inputEnd", bytes),
      );
    }
    try {
      const ending = await this.#exit.promise;
      await Promise.all([this.#relays.out.finished, this.#relays.err.finished]);
      this.times.ended = this.elapsed;
      return this.#interruption ?? ending;
    } finally {
      this.#stopInput();
      terminal?.leave();
    }
  }

  #relay(name: "out" | "err", to: Writable): OutputRelay {
    return new OutputRelay(this.#machine.streams[name], to, {
      onPart: (part) => {
        this.times.firstByte ??= this.elapsed;
        for (const listener of this.#onOutput) listener(part);
      },
      onClosed: () => this.#control.send("closed", name),
    });
  }

  /** @param signals how many of those that were sent had come before the end */
  #appEnded(signals: number): void {
    this.#appHasEnded = true;
    this.#stopInput();
    this.#terminal?.hearSignals();
    const late = this.#sent.slice(signals).at(-1);
    if (late !== undefined) this.#interrupt(late);
  }

  /** The machine goes on to its end: what the app wrote to volumes is on its way. */
  #interrupt(name: NodeJS.Signals): void {
    const ending = { status: null, signal: os.constants.signals[name] };
    const isSecond = this.#interruption !== undefined;
    this.#interruption ??= ending;
    this.#relays.out.giveUp();
    this.#relays.err.giveUp();
    if (isSecond) this.#exit.resolve(ending);
    else setTimeout(() => this.#exit.resolve(ending), LAST).unref();
  }

  #isUp(): void {
    this.times.up = this.elapsed;
    this.#up.resolve();
  }

  #take(line: GuestLine): void {
    switch (line.kind) {
      case "hello":
        this.times.hello = this.elapsed;
        // A machine need not have a clock of its own.
        this.setClock();
        if (line.version === guestProtocol.version) this.#hello.resolve();
        else this.#fail(otherVersion(line.version));
        break;
      case "up":
        this.#isUp();
        break;
      case "notice":
        this.#onNotice(line.text);
        break;
      case "failure":
        this.#fail(errors.vmGuest(line.code, line.text));
        break;
      case "paused":
        void this.#takePaused(line);
        break;
      case "ended":
        this.#appEnded(line.signals);
        break;
      case "done":
        this.#relays.out.expect(line.out);
        this.#relays.err.expect(line.err);
        break;
      case "exit":
        this.#appHasEnded = true;
        this.resident = line.resident;
        this.#exit.resolve(endingOf(line.status));
    }
  }

  async #takePaused({ out, err, problem }: GuestLine & { kind: "paused" }): Promise<void> {
    if (problem !== "") {
      return this.#paused.reject(errors.vmStart("the app cannot be paused", { actual: problem }));
    }
    await Promise.all([this.#relays.out.reach(out), this.#relays.err.reach(err)]);
    this.#paused.resolve();
  }

  /** Nobody sends lines any more: QEMU has ended. What came before counts. */
  async #lost(): Promise<void> {
    const how = await this.#machine.ended;
    const { console, words } = this.#machine;
    const actual = [...(words ? [words] : []), console.words()].join("; ");
    if (this.times.up !== undefined) return this.#fail(errors.vmCrashed(how, { actual }));
    if (console.lacksMemory(this.#machine.memory)) return this.#fail(errors.vmMemory(actual));
    if (/host forwarding rule/.test(words)) return this.#fail(errors.vmPort(words));
    if (/could not configure|\/dev\/net\/tun|network script/.test(words)) {
      return this.#fail(errors.vmNetwork(words));
    }
    // A folder of 9p that went, or was closed to this user, after it was looked at.
    const [, folder, why] =
      /initialize fsdev '\w+': failed to open '(.*)': ([^;]*)/.exec(words) ?? [];
    if (folder !== undefined) return this.#fail(errors.vmVolume(folder, why ?? words));
    this.#fail(errors.vmStart(`the machine ended (${how}) before the app ran`, { actual }));
  }

  #fail(error: errors.BundleError): void {
    for (const deferred of [this.#hello, this.#up, this.#paused, this.#exit])
      deferred.reject(error);
  }
}

/** @param status as of wait(2) */
function endingOf(status: number): Ending {
  const signal = status & 0x7f;
  return signal === 0 ? { status: status >> 8, signal: null } : { status: null, signal };
}

function otherVersion(version: number): errors.BundleError {
  const expected = `version ${guestProtocol.version} of the protocol`;
  return errors.vmStart("the guest is of another version", { expected, actual: `${version}` });
}
