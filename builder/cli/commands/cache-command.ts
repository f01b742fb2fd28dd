/** `bundle cache info|clear [--json]` */
import { cacheInfo, clearCache } from "../../api/cache.ts";
import * as errors from "../../errors.ts";
import type { Arguments } from "../parse.ts";
import { counted, formatBytes, print, printable, printJson } from "../print.ts";

const actions = { info: cacheInfo, clear: clearCache };

export async function cacheCommand(args: Arguments): Promise<void> {
  const wanted = args.positionals[0] ?? "";
  if (!Object.hasOwn(actions, wanted)) {
    throw errors.optionValue("ACTION", Object.keys(actions).join(", "), `"${wanted}"`);
  }
  const info = await actions[wanted as keyof typeof actions]();
  if (args.flag("json")) return printJson(info);
  if (wanted === "clear") {
    print(`${printable(info.path)}: ${formatBytes(info.bytes)} removed\n`);
    return;
  }
  print(`${printable(info.path)}: ${formatBytes(info.bytes)}\n`);
  for (const { name, summary, files, bytes, limit } of info.parts) {
    const most = limit === undefined ? "" : `, at most ${formatBytes(limit)}`;
    print(
      `  ${name.padEnd(8)} ${formatBytes(bytes)} in ${counted(files, "file")}${most}: ${summary}\n`,
    );
  }
}
