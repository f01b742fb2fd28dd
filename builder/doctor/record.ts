/** What `bundle doctor --fix` has done to this machine, for `--unfix`: a file that root alone reads and writes. */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import * as errors from "../errors.ts";
import { writeAtomically } from "../output/atomic.ts";
import { lockedFolder } from "../output/folder-lock.ts";
import type { Taken } from "./actions.ts";
import { isRootsAlone } from "./machine.ts";

/** Where it is. */
const RECORD = "/var/lib/fuselage-bundle/doctor.json";

interface Recorded {
  format: 1;
  /** In the order in which they were taken. */
  steps: Taken[];
}

/**
 * The steps that were taken and not taken back.
 *
 * @throws E_DOCTOR_FIX for a record that is not root's, or is damaged
 */
export function readRecord(): Taken[] {
  let text: string;
  try {
    if (!isRootsAlone(RECORD)) throw errors.doctorFix(RECORD, "others can change it");
    text = readFileSync(RECORD, "utf8");
  } catch (cause) {
    if (errors.errnoCode(cause) === "ENOENT") return [];
    if (cause instanceof errors.BundleError) throw cause;
    throw errors.doctorFix(RECORD, errors.systemReason(cause), cause);
  }
  try {
    const { format, steps } = JSON.parse(text) as Recorded;
    if (format === 1 && Array.isArray(steps)) return steps;
  } catch {
    // Told below.
  }
  throw errors.doctorFix(RECORD, "it is no record of this program");
}

/**
 * Does something while no other command of ours changes the record: what it reads of it is as it is until it is done.
 *
 * @throws E_DOCTOR_FIX, E_OUTPUT_* where another one has it for long, and what `work` throws
 */
export async function withRecord<T>(work: () => Promise<T>): Promise<T> {
  const folder = path.dirname(RECORD);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw errors.doctorFix(folder, errors.systemReason(cause), cause);
  }
  const lock = await lockedFolder(folder);
  try {
    return await work();
  } finally {
    await lock.close();
  }
}

/** Writes the steps down before anything else happens; without any the record goes. */
export async function writeRecord(steps: readonly Taken[]): Promise<void> {
  if (steps.length === 0) {
    rmSync(RECORD, { force: true });
    return;
  }
  const text = `${JSON.stringify({ format: 1, steps }, null, 2)}\n`;
  await writeAtomically(RECORD, 0o600, (handle) => handle.writeFile(text));
}
