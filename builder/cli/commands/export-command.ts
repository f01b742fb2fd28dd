/** `bundle export APP|BUNDLE [MORE]... --to IMAGE` */
import { exportImage } from "../../api/export.ts";
import type { LayerCompression } from "../../config/export-options.ts";
import type { Arguments } from "../parse.ts";
import { formatBytes, print, printable, printJson } from "../print.ts";
import { parseArch, parsed, unread } from "../values.ts";

export async function exportCommand(args: Arguments): Promise<void> {
  const list = (name: string) => (args.flag(name) ? args.list(name) : undefined);
  const result = await exportImage({
    input: args.positionals[0] ?? "",
    more: args.positionals.slice(1),
    to: args.text("to") ?? "",
    tags: list("tag"),
    artifact: args.flag("artifact") || undefined,
    at: args.text("at"),
    compression: parsed(args.text("compression"), unread<LayerCompression>),
    labels: list("label"),
    arch: parsed(args.text("arch"), parseArch),
  });
  if (args.flag("json")) {
    printJson(result);
    return;
  }
  const { to, tags, digest, size } = result;
  print(`${printable(to)}: ${tags.map(printable).join(", ")}, ${formatBytes(size)}\n${digest}\n`);
}
