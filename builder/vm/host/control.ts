/** Lines between the two sides: docs/vm-protocol.md. */
import type { Duplex } from "node:stream";
import { guestProtocol } from "../../generated/spec.ts";

const { toHost, toGuest } = guestProtocol;

/** A line of the guest's. */
export type GuestLine =
  | { kind: "hello"; version: number }
  /** Milliseconds since the kernel's start, by what had been done then. */
  | { kind: "up"; times: Readonly<Record<string, number>> }
  | { kind: "notice"; text: string }
  | { kind: "failure"; code: string; text: string }
  /** Bytes that went to `out` and `err` by then; why the app's processes do not stand still, "": they do. */
  | { kind: "paused"; out: number; err: number; problem: string }
  /** The app has ended, behind so many signals. */
  | { kind: "ended"; signals: number }
  /** Bytes that went to `out` and `err`. */
  | { kind: "done"; out: number; err: number }
  /** As of wait(2). */
  | { kind: "exit"; status: number; resident: number };

/** Of a signal's number, of a size in characters, of a count of bytes ... */
type Value = number | string;

/**
 * Reads a line; undefined: it is of a kind that is not known here.
 *
 * @internal
 */
export function parseLine(line: string): GuestLine | undefined {
  const rest = line.slice(2);
  const numbers = rest.split(" ").map(Number);
  const [first = 0, second = 0] = numbers;
  switch (line[0]) {
    case toHost.hello:
      return { kind: "hello", version: first };
    case toHost.up: {
      const pairs = rest.split(" ").map((pair) => pair.split("="));
      const times = pairs.map(([key = "", value]) => [key, Number(value)] as const);
      return { kind: "up", times: Object.fromEntries(times) };
    }
    case toHost.notice:
      return { kind: "notice", text: rest };
    case toHost.failure: {
      const [, code = "", text = ""] = /^(\S+) ?(.*)$/.exec(rest) ?? [];
      return { kind: "failure", code, text };
    }
    case toHost.paused:
      return { kind: "paused", out: first, err: second, problem: rest.replace(/^\d+ \d+ ?/, "") };
    case toHost.ended:
      return { kind: "ended", signals: first };
    case toHost.done:
      return { kind: "done", out: first, err: second };
    case toHost.exit:
      return { kind: "exit", status: first, resident: second };
    default:
      return undefined;
  }
}

/** A line longer than what a guest of ours sends: whoever sends it is none. */
const MAX_LINE = 65_536;

/** The channel of the lines. */
export class Control {
  readonly #channel: Duplex;

  /** @param onEnd is told once that nobody sends any more */
  constructor(channel: Duplex, onLine: (line: GuestLine) => void, onEnd: () => void) {
    this.#channel = channel;
    let rest = "";
    channel.setEncoding("utf8");
    channel.on("data", (part: string) => {
      const lines = (rest + part).split("\n");
      rest = (lines.pop() ?? "").slice(0, MAX_LINE);
      for (const line of lines) {
        const parsed = parseLine(line);
        if (parsed !== undefined) onLine(parsed);
      }
    });
    channel.on("error", () => {});
    channel.on("close", onEnd);
  }

  /** Sends a line; when nobody is there any more it is lost, which its end tells. */
  send(what: keyof typeof toGuest, ...values: readonly Value[]): void {
    if (this.#channel.writable) this.#channel.write(`${[toGuest[what], ...values].join(" ")}\n`);
  }
}

/** The clock as the guest takes it. */
export function clockText(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const nanoseconds = Math.floor((milliseconds - seconds * 1000) * 1e6);
  return `${seconds}.${String(nanoseconds).padStart(9, "0")}`;
}
