/** `bundle export BUNDLE --portable NAME.raw` */
import { exportPortable } from "../../api/export-portable.ts";
import * as errors from "../../errors.ts";
import type { Arguments } from "../parse.ts";
import { formatBytes, print, printable, printJson } from "../print.ts";
import { parsed, parseNumber } from "../values.ts";

/** Options of engines that say something of portable services too. */
const shared = ["arg", "env", "socket", "credential", "cpus", "memory", "notify", "force"];

/** @param ofEngines options of engines */
export async function exportPortableCommand(
  args: Arguments,
  ofEngines: readonly string[],
): Promise<void> {
  const strange = ofEngines.find((name) => args.flag(name) && !shared.includes(name));
  if (strange !== undefined) throw errors.optionConflict(`--${strange} says nothing to --portable`);
  const [input = "", second] = args.positionals;
  if (second !== undefined) throw errors.optionConflict("--portable takes one bundle");
  const list = (name: string) => (args.flag(name) ? args.list(name) : undefined);
  const result = await exportPortable({
    input,
    portable: args.text("portable") ?? "",
    args: list("arg"),
    env: list("env"),
    sockets: list("socket"),
    credentials: list("credential"),
    cpus: parsed(args.text("cpus"), parseNumber),
    memory: args.text("memory"),
    notify: args.flag("notify") || undefined,
    force: args.flag("force") || undefined,
  });
  if (args.flag("json")) {
    printJson(result);
    return;
  }
  const { output, size, units } = result;
  print(`${printable(output)}: ${units.join(", ")}, ${formatBytes(size)}\n`);
}
