/** When an app in a machine has started: by a text that it prints, by time, or when the machine rests. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import * as errors from "../../errors.ts";
import type { Session } from "./session.ts";

/** A machine rests when its process has worked for no more than WORK ms in so many ms. */
const IDLE = 1000;
const WORK = 100;
/** How often that is looked at, ms. */
const LOOK = 200;
/** A machine that never rests is taken as it is after so many ms. */
const LIMIT = 60_000;
/** Milliseconds of a tick in /proc/PID/stat: USER_HZ is 100 on every machine that we know. */
const TICK = 10;
/** A day: whoever wants longer does not mean a start. */
const MAX_SECONDS = 86_400;

export type Until = { seconds: number } | { text: string } | "rest";

/** Digits are seconds, all else is a text. @throws E_OPTION_VALUE */
export function parseUntil(until: string | undefined): Until {
  if (until === undefined) return "rest";
  if (!/^[0-9]+(\.[0-9]+)?$/.test(until)) return { text: until };
  const seconds = Number(until);
  if (seconds > 0 && seconds <= MAX_SECONDS) return { seconds };
  const expected = `more than 0 and at most ${MAX_SECONDS} seconds, or a text`;
  throw errors.optionValue("until", expected, `"${until}"`);
}

/** Resolves when the start is over. */
export async function startIsOver(
  until: Until,
  { session, pid }: { session: Session; pid: number },
  signal: AbortSignal,
): Promise<void> {
  if (until === "rest") return rest(pid, signal);
  if ("seconds" in until) return sleep(until.seconds * 1000, undefined, { signal });
  return appears(session, Buffer.from(until.text));
}

function appears(session: Session, text: Buffer): Promise<void> {
  return new Promise((resolve) => {
    let tail = Buffer.alloc(0);
    session.onOutput((part) => {
      const seen = Buffer.concat([tail, part]);
      if (seen.includes(text)) resolve();
      tail = seen.subarray(Math.max(0, seen.length - text.length + 1));
    });
  });
}

async function rest(pid: number, signal: AbortSignal): Promise<void> {
  const began = performance.now();
  let [work, since] = [workOf(pid), began];
  while (performance.now() - began < LIMIT) {
    await sleep(LOOK, undefined, { signal });
    const now = performance.now();
    const worked = workOf(pid);
    if (worked - work > WORK) [work, since] = [worked, now];
    if (now - since >= IDLE) return;
  }
}

/** Processor time of a process, ms; the fields behind the name are those of proc(5). */
function workOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK;
  } catch {
    return 0; // It has ended meanwhile, which its session tells.
  }
}
