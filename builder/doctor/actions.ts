/**
 * The steps by which a machine is mended, each with its way back.
 *
 * What was there before stands in a record, so that undoing gives it back, and only where nobody has
 * changed it since.
 */
import { chmodSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import * as errors from "../errors.ts";
import { runCommand } from "../host/command.ts";
import { removeTemporary, workFolder } from "../host/temporary.ts";
import { writeAtomically } from "../output/atomic.ts";
import { modeOf, rootEnvironment, textOf } from "./machine.ts";

/** One step. */
export type Action =
  /** A file of ours, mode 0644; `check` is a program that says whether it would be taken. */
  | { type: "write"; path: string; text: string; check?: string[] }
  /** A value of the kernel's below /proc/sys. */
  | { type: "set"; path: string; value: string }
  /** Permission bits of what is there. */
  | { type: "mode"; path: string; mode: number }
  /** A program; `stays` says what undoing leaves. */
  | { type: "run"; command: string[]; undo?: string[]; stays?: string };

/** A step that is taken, with what was there before. */
export type Taken = Action & { before?: string };

const octal = (mode: number) => mode.toString(8).padStart(4, "0");

/** A step as a person reads it before it is taken. */
export function described(action: Action): string[] {
  switch (action.type) {
    case "write":
      return [
        `write ${action.path}`,
        ...action.text
          .trimEnd()
          .split("\n")
          .map((line) => `  | ${line}`),
      ];
    case "set":
      return [`write ${action.value} to ${action.path}`];
    case "mode":
      return [`chmod ${octal(action.mode)} ${action.path}`];
    case "run":
      return [`run ${action.command.join(" ")}`];
  }
}

async function run([program = "", ...args]: readonly string[]): Promise<void> {
  const options = { env: rootEnvironment(), cwd: "/" };
  const { status, signal, stdout, stderr } = await runCommand(program, args, options).catch(
    (cause: unknown) => {
      throw errors.doctorFix(program, `it cannot be started: ${errors.systemReason(cause)}`, cause);
    },
  );
  if (status === 0) return;
  const last = `${stdout}\n${stderr}`.trim().split("\n").at(-1) ?? "";
  throw errors.doctorFix(
    [program, ...args].join(" "),
    `it ended with ${signal ?? `status ${status}`}: ${last}`,
  );
}

/** Lets a program look at the text, under a name that means nothing yet. */
async function checkText(text: string, check: readonly string[]): Promise<void> {
  const dir = workFolder();
  try {
    const file = path.join(dir, "text");
    await writeFile(file, text);
    await run([...check, file]);
  } finally {
    removeTemporary(dir);
  }
}

async function write({ path: file, text, check }: Action & { type: "write" }): Promise<void> {
  const there = textOf(file);
  if (there !== undefined && there !== text) {
    throw errors.doctorFix(file, "a file of somebody else's is there");
  }
  if (check !== undefined) await checkText(text, check);
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
  await writeAtomically(file, 0o644, async (handle) => {
    await handle.writeFile(text);
    await handle.chmod(0o644);
  });
}

/** Where a step is taken, for messages. */
const placeOf = (action: Action) => ("path" in action ? action.path : action.command.join(" "));

/** @throws E_DOCTOR_FIX in place of what the system says */
async function told<Result>(action: Action, act: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof errors.BundleError) throw cause;
    throw errors.doctorFix(placeOf(action), errors.systemReason(cause), cause);
  }
}

/** What undoing a step will need, looked up while nothing has been done; undefined when all is so already. */
export function lookBefore(action: Action): Promise<Taken | undefined> {
  return told(action, () => {
    switch (action.type) {
      case "write":
        return textOf(action.path) === action.text ? undefined : action;
      case "set": {
        const before = readFileSync(action.path, "utf8").trim();
        return before === action.value ? undefined : { ...action, before };
      }
      case "mode": {
        const mode = lstatSync(action.path).mode & 0o7777;
        return mode === action.mode ? undefined : { ...action, before: octal(mode) };
      }
      case "run":
        return action;
    }
  });
}

/**
 * Takes a step.
 *
 * @throws E_DOCTOR_FIX
 */
export function take(action: Action): Promise<void> {
  return told(action, () => {
    switch (action.type) {
      case "write":
        return write(action);
      case "set":
        return writeFileSync(action.path, `${action.value}\n`);
      case "mode":
        return chmodSync(action.path, action.mode);
      case "run":
        return run(action.command);
    }
  });
}

/**
 * Takes a step back.
 *
 * @returns what stays, in words, when something does
 * @throws E_DOCTOR_FIX
 */
export function takeBack(taken: Taken): Promise<string | undefined> {
  return told(taken, async () => {
    switch (taken.type) {
      case "write": {
        const there = textOf(taken.path);
        if (there === undefined) return undefined;
        if (there !== taken.text) return `${taken.path} stays: it was changed since`;
        rmSync(taken.path);
        return undefined;
      }
      case "set":
        if (textOf(taken.path)?.trim() !== taken.value) return undefined;
        writeFileSync(taken.path, `${taken.before}\n`);
        return undefined;
      case "mode":
        if (modeOf(taken.path) !== taken.mode) return undefined;
        chmodSync(taken.path, Number.parseInt(taken.before ?? "", 8));
        return undefined;
      case "run":
        if (taken.undo === undefined) return taken.stays;
        await run(taken.undo);
        return undefined;
    }
  });
}
