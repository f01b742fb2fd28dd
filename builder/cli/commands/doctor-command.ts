/** `bundle doctor [FILE] [--fix [--user USER] [--yes] | --unfix] [--json]` */
import { createInterface } from "node:readline/promises";
import { doctorAs, examine, type Finding, sandboxFacts } from "../../api/doctor.ts";
import { applyFix, type FixPlan, planFix, unfix } from "../../api/doctor-fix.ts";
import { described } from "../../doctor/actions.ts";
import * as errors from "../../errors.ts";
import type { Arguments } from "../parse.ts";
import { note, print, printable, printJson } from "../print.ts";

export async function doctorCommand(args: Arguments): Promise<void> {
  const [fix, back] = [args.flag("fix"), args.flag("unfix")];
  for (const name of ["user", "yes"]) {
    if (args.flag(name) && !fix) throw errors.optionConflict(`--${name} is for --fix`);
  }
  if (fix && back) throw errors.optionConflict("--fix and --unfix exclude each other");
  if (back) return undone(args);
  if (fix) return mended(args);
  const { findings, sandbox } = await examine(args.positionals[0]);
  if (args.flag("json")) printJson({ findings, sandbox: sandboxFacts(sandbox) });
  else {
    printFindings(findings);
    for (const line of sandbox) print(`${printable(line)}\n`);
  }
  if (!findings.some(({ works }) => works)) process.exitCode = 1;
}

function printFindings(findings: readonly Finding[]): void {
  for (const { strategy, works, milliseconds, reason = "", advice = "" } of findings) {
    const name = strategy.padEnd(11);
    if (works) print(`${name} works (${milliseconds.toFixed(1)} ms)\n`);
    else
      print(
        `${name} refused: ${printable(reason)}\n${" ".repeat(14)}to do: ${printable(advice)}\n`,
      );
  }
}

async function mended(args: Arguments): Promise<void> {
  const [file, user, json] = [args.positionals[0], args.text("user"), args.flag("json")];
  const plan = await planFix({
    ...(file !== undefined && { file }),
    ...(user !== undefined && { user }),
  });
  const steps = plan.remedies.flatMap(({ actions }) => actions);
  if (!json) printPlan(plan);
  const wanted = steps.length > 0 && (args.flag("yes") || (await isConfirmed(json)));
  const taken = wanted ? await applyFix(plan) : 0;
  if (json) printJson({ ...plan, taken });
  else if (taken > 0) await printDone(plan, args);
  else if (wanted) print("All of it is so already.\n");
  else if (steps.length > 0) print("Nothing was changed.\n");
  if (steps.length > 0 && !wanted) process.exitCode = 1;
}

function printPlan({ user, findings, remedies }: FixPlan): void {
  if (user !== undefined) print(`Tried as uid ${user.uid}:\n`);
  printFindings(findings);
  for (const { summary, actions } of remedies) {
    print(`\n${printable(summary)}\n`);
    if (actions.length === 0) print("  not done here\n");
    for (const action of actions) {
      for (const line of described(action)) print(`  ${printable(line)}\n`);
    }
  }
  if (remedies.length === 0) print("\nThere is nothing to mend.\n");
}

async function printDone({ remedies, user }: FixPlan, args: Arguments): Promise<void> {
  print("\nDone; --unfix takes it back. Now:\n");
  // A profile is for one path, and what is tried here lies elsewhere.
  const profiled = remedies.some(
    ({ cause, actions }) => cause === "APPARMOR" && actions.length > 0,
  );
  if (!profiled) return printFindings(await doctorAs(user, args.positionals[0]));
  print(
    `try ${printable(args.positionals[0] ?? "fuselage")} --bundle-doctor as an ordinary user\n`,
  );
}

/** Asks on the terminal. */
async function isConfirmed(json: boolean): Promise<boolean> {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) throw errors.doctorRoot(uid);
  if (json || !process.stdin.isTTY) throw errors.doctorUnasked();
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question("\nDo this? [y/N] ");
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

async function undone(args: Arguments): Promise<void> {
  const result = await unfix();
  if (args.flag("json")) return printJson(result);
  for (const line of result.stays) note(line);
  print(result.steps > 0 ? "Taken back.\n" : "There is nothing to take back.\n");
}
