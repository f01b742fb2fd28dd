/** `bundle check FILE [--target-has NAME]... [--json]` */
import { check } from "../../api/check.ts";
import * as errors from "../../errors.ts";
import { shownWarning } from "../../warnings.ts";
import type { Arguments } from "../parse.ts";
import { counted, print, printable, printJson } from "../print.ts";

export async function checkCommand(args: Arguments): Promise<void> {
  const file = args.positionals[0] ?? "";
  const targetHas = args.flag("target-has") ? args.list("target-has") : undefined;
  const { findings, programs, scripts, packages } = await check(file, { targetHas });
  if (findings.length > 0) throw errors.notClosed(file, findings.map(shownWarning));
  if (args.flag("json")) {
    printJson({ file, findings, programs, scripts, packages });
    return;
  }
  const looked = [
    counted(programs, "ELF file"),
    counted(scripts, "script"),
    counted(packages, "package"),
  ].join(", ");
  print(`${printable(file)}: all that it names is there (${looked})\n`);
}
