/** `bundle doctor [FILE] [--json]` */
import { doctor } from "../../api/doctor.ts";
import type { Arguments } from "../parse.ts";
import { print, printable, printJson } from "../print.ts";

export async function doctorCommand(args: Arguments): Promise<void> {
  const findings = await doctor(args.positionals[0]);
  if (args.flag("json")) printJson(findings);
  else {
    for (const { strategy, works, milliseconds, reason = "", advice = "" } of findings) {
      const name = strategy.padEnd(11);
      if (works) print(`${name} works (${milliseconds.toFixed(1)} ms)\n`);
      else print(`${name} refused: ${printable(reason)}\n${" ".repeat(14)}to do: ${advice}\n`);
    }
  }
  if (!findings.some(({ works }) => works)) process.exitCode = 1;
}
