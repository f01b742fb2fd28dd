/** Mending a machine on which ways to mount are refused, and taking that back. */
import { isDeepStrictEqual } from "node:util";
import { lookBefore, type Taken, take, takeBack } from "../doctor/actions.ts";
import { type Identity, identityFor } from "../doctor/machine.ts";
import { readRecord, withRecord, writeRecord } from "../doctor/record.ts";
import { type Remedy, remediesFor } from "../doctor/remedies.ts";
import * as errors from "../errors.ts";
import { machines } from "../generated/spec.ts";
import { hostArchitecture, runtimePath } from "../host/paths.ts";
import { doctorAs, type Finding } from "./doctor.ts";

/** What would be done for the starts of a user. */
export interface FixPlan {
  /** Whose starts were tried; undefined for the caller's own. */
  user: Identity | undefined;
  /** What they met. */
  findings: Finding[];
  /** One for each cause of a refusal. */
  remedies: Remedy[];
}

/**
 * Tries every strategy as a user, and looks for remedies. Changes nothing.
 *
 * @param options.file - bundle that shall start; without one it is the runner of this package
 * @param options.user - name or number of the user whose starts are meant: default who called sudo, and of root
 *   itself nobody in particular
 * @throws E_DOCTOR, E_DOCTOR_USER, E_DOCTOR_PATH
 */
export async function planFix(options: { file?: string; user?: string } = {}): Promise<FixPlan> {
  const { file, user: wanted } = options;
  const user = identityFor(wanted);
  if (user === null) throw errors.doctorUser(wanted ?? "");
  const findings = await doctorAs(user, file);
  const program = file ?? runtimePath(hostArchitecture() ?? machines[0].name);
  return { user, findings, remedies: remediesFor(findings, program) };
}

/**
 * Takes steps back, the last one first; what stays is said. One that fails keeps none of the others: it stays
 * in the record, to be tried again, unless it is a program, which would fail each time.
 */
async function undo(steps: readonly Taken[], kept: readonly Taken[]): Promise<string[]> {
  const stays: string[] = [];
  const failed: Taken[] = [];
  for (const [index, step] of [...steps.entries()].reverse()) {
    const words = await takeBack(step).catch((cause: unknown) => {
      if (!(cause instanceof errors.BundleError)) throw cause;
      if (step.type !== "run") failed.unshift(step);
      return cause.message;
    });
    if (words !== undefined) stays.push(words);
    await writeRecord([...kept, ...steps.slice(0, index), ...failed]);
  }
  return stays;
}

/** A program that is run again is undone once. */
const isAmong = (steps: readonly Taken[], step: Taken) =>
  step.type === "run" && steps.some((one) => isDeepStrictEqual(one, step));

/**
 * Takes the steps of all remedies. Each is written down first, so that nothing is done that cannot be undone,
 * whatever happens meanwhile. When one fails those before it are taken back.
 *
 * @returns how many steps there were to take
 * @throws E_DOCTOR_ROOT, E_DOCTOR_FIX
 */
export async function applyFix(plan: FixPlan): Promise<number> {
  requireRoot();
  return withRecord(() => takeAll(plan));
}

async function takeAll({ remedies }: FixPlan): Promise<number> {
  const before = readRecord();
  const taken: Taken[] = [];
  let count = 0;
  try {
    for (const action of remedies.flatMap(({ actions }) => actions)) {
      const step = await lookBefore(action);
      if (step === undefined) continue;
      const known = isAmong(before, step);
      if (!known) await writeRecord([...before, ...taken, step]);
      await take(action);
      if (!known) taken.push(step);
      count++;
    }
  } catch (cause) {
    await undo(taken, before);
    if (taken.length === 0) await writeRecord(before);
    throw cause;
  }
  return count;
}

/**
 * Takes back all that `applyFix` ever did on this machine.
 *
 * @returns how many steps there were, and what stays, in words
 * @throws E_DOCTOR_ROOT, E_DOCTOR_FIX
 */
export async function unfix(): Promise<{ steps: number; stays: string[] }> {
  requireRoot();
  if (readRecord().length === 0) return { steps: 0, stays: [] };
  return withRecord(async () => {
    const steps = readRecord();
    return { steps: steps.length, stays: await undo(steps, []) };
  });
}

function requireRoot(): void {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) throw errors.doctorRoot(uid);
}
