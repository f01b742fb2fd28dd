/** `bundle assemble --archive=FILE --output=FILE -- INVOCATION...`, and `fuselage-bundle`. */
import { assembleBundle } from "../../api/assemble.ts";
import type { Arguments } from "../parse.ts";
import { formatBytes, print, printable, printJson } from "../print.ts";
import { manifestJson } from "../show.ts";
import { parseArch, parsed } from "../values.ts";

export async function assembleCommand(args: Arguments): Promise<void> {
  const archive = args.text("archive") ?? "";
  const output = args.text("output") ?? "";
  const result = await assembleBundle({
    archive,
    output,
    invocation: args.rest ?? [],
    name: args.text("name"),
    arch: parsed(args.text("arch"), parseArch),
    runtimeOptions: !args.flag("no-runtime-options"),
  });
  const { size, imageOffset, manifest, image } = result;
  if (args.flag("json")) {
    const shown = { offset: imageOffset, ...image };
    printJson({ output: result.output, size, ...manifestJson(manifest), image: shown });
    return;
  }
  print(`${printable(output)}: ${formatBytes(size)} with ${printable(archive)}\n`);
}
