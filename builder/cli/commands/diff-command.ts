/** `bundle diff A B [OPTION]...` */
import { type Difference, type DiffResult, diff } from "../../api/diff.ts";
import { type DumpOptions, type DumpRecord, dumpLine } from "../../api/dump.ts";
import type { Arguments } from "../parse.ts";
import { print, printable, printJson } from "../print.ts";
import { parsed, unread } from "../values.ts";

export async function diffCommand(args: Arguments): Promise<void> {
  const [before = "", after = ""] = args.positionals;
  const result = await diff({
    before,
    after,
    owners: !args.flag("no-owners"),
    times: !args.flag("no-times"),
    devices: !args.flag("no-devices"),
    digests: !args.flag("no-digests"),
    xattrs: parsed(args.text("xattrs"), unread<NonNullable<DumpOptions["xattrs"]>>) ?? "all",
  });
  if (args.flag("json")) printJson({ before, after, ...result });
  else print(asText(result));
  // As diff(1) does; what could not be compared is an error, with a code.
  if (!result.same) process.exitCode = 1;
}

function asText({ differences, facts, permissions }: DiffResult): string {
  const lines = [
    ...permissions.gained.map((words) => `! the app gains: ${printable(words)}`),
    ...permissions.lost.map((words) => `! the app loses: ${printable(words)}`),
    ...facts.map(({ key, before, after }) => `~ ${key}: ${shown(before)} -> ${shown(after)}`),
    ...differences.map(line),
  ];
  return lines.map((one) => `${one}\n`).join("");
}

function line({ change, path, before, after, fields }: Difference): string {
  if (change === "added") return `+ ${dumpLine(after as DumpRecord)}`;
  if (change === "removed") return `- ${dumpLine(before as DumpRecord)}`;
  const changes = fields.map((key) => `${key} ${shown(before?.[key])} -> ${shown(after?.[key])}`);
  return `~ ${path}: ${changes.join(", ")}`;
}

/** A value of a record or of a manifest. */
function shown(value: unknown): string {
  if (value === undefined) return "-";
  return printable(typeof value === "string" ? value : JSON.stringify(value));
}
