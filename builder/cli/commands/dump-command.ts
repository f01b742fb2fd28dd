/** `bundle dump FILE|DIR [OPTION]...` */
import { once } from "node:events";
import { contentDigest, type DumpOptions, dump, dumpLine } from "../../api/dump.ts";
import type { Arguments } from "../parse.ts";
import { jsonText, print, printJson } from "../print.ts";
import { parsed, unread } from "../values.ts";

export async function dumpCommand(args: Arguments): Promise<void> {
  const json = args.flag("json");
  const options = {
    input: args.positionals[0] ?? "",
    owners: !args.flag("no-owners"),
    times: !args.flag("no-times"),
    devices: !args.flag("no-devices"),
    digests: !args.flag("no-digests"),
    xattrs: parsed(args.text("xattrs"), unread<NonNullable<DumpOptions["xattrs"]>>) ?? "all",
  };
  if (args.flag("digest")) {
    const digest = await contentDigest(options);
    if (json) printJson({ digest });
    else print(`${digest}\n`);
    return;
  }
  await dump(options, async (record) => {
    const line = json ? jsonText(record) : dumpLine(record);
    // A slow reader must not make the whole listing wait in memory.
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
  });
}
