/** The host's half of a machine, with the other half in the test's hands. */
import { Duplex, PassThrough, Writable } from "node:stream";
import { beforeEach, expect, test } from "vitest";
import type { Machine } from "../../../../builder/vm/host/machine.ts";
import { Session } from "../../../../builder/vm/host/session.ts";

/** A channel: what the host sends is kept, and what `say` is given comes to it. */
class Channel extends Duplex {
  sent = "";
  override _read(): void {}
  override _write(part: Buffer, _: string, done: () => void): void {
    this.sent += part.toString();
    done();
  }
  say(text: string): void {
    this.push(text);
  }
}

let streams: Record<"ctl" | "in" | "out" | "err", Channel>;
/** Whoever reads the output takes nothing. */
let session: Session;
let ended: unknown;

const soon = () => new Promise((resolve) => setTimeout(resolve, 20));

beforeEach(async () => {
  streams = { ctl: new Channel(), in: new Channel(), out: new Channel(), err: new Channel() };
  const stdout = new Writable({ highWaterMark: 1, write: () => {} });
  const machine = { streams, ended: new Promise(() => {}) } as unknown as Machine;
  session = new Session(machine, { stdin: undefined, stdout, stderr: new PassThrough() }, () => {});
  ended = "no";
  session.run().then((ending) => {
    ended = ending;
  });
  streams.ctl.say("H 1\nU init=1\n");
  streams.out.say("bytes");
  await soon();
});

const byTerm = { status: null, signal: 15 };

test("a signal while the app runs is the app's, and its output is waited for", async () => {
  session.signal("SIGTERM");
  streams.ctl.say("A 1\nD 5 0\nX 1792 0\n");
  await soon();
  expect(streams.ctl.sent).toMatch(/S 15\n$/);
  expect(ended).toBe("no");
});

test("one behind the app's end gives up the output, and the machine goes on to its end", async () => {
  streams.ctl.say("A 0\n");
  await soon();
  session.signal("SIGTERM");
  expect(streams.ctl.sent).toMatch(/C out\nC err\n$/);
  await soon();
  expect(ended).toBe("no");
  streams.ctl.say("D 0 0\nX 1792 0\n");
  await soon();
  expect(ended).toEqual(byTerm);
});

test("one that was sent before, and came behind the app's end", async () => {
  session.signal("SIGINT");
  session.signal("SIGTERM");
  streams.ctl.say("A 1\n");
  await soon();
  streams.ctl.say("D 0 0\nX 0 0\n");
  await soon();
  expect(ended).toEqual(byTerm);
});

test("one when the guest has said all", async () => {
  streams.ctl.say("D 5 0\nX 1792 0\n");
  await soon();
  expect(ended).toBe("no");
  session.signal("SIGTERM");
  await soon();
  expect(ended).toEqual(byTerm);
});

test("a second one does not wait for the machine", async () => {
  streams.ctl.say("A 0\n");
  await soon();
  session.signal("SIGTERM");
  session.signal("SIGINT");
  await soon();
  expect(ended).toEqual({ status: null, signal: 15 });
});
