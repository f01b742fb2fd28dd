/** `bundle profile BUNDLE [-o FILE] [-- ARG...]` */
import { profile, shownStart } from "../../api/profile.ts";
import * as errors from "../../errors.ts";
import type { Arguments } from "../parse.ts";
import { counted, formatBytes, note } from "../print.ts";
import { parsed, parseNumber } from "../values.ts";

/** The app has the standard output, so what is to be said goes to standard error. */
export async function profileCommand(args: Arguments): Promise<void> {
  const bundle = args.positionals[0] ?? "";
  if (args.flag("show")) {
    const other = ["output", "until", "runs", "merge"].find((name) => args.flag(name));
    if (other !== undefined || args.rest !== undefined) {
      const what = other === undefined ? "arguments of the app" : `--${other}`;
      throw errors.optionConflict(`--show runs nothing, and takes no ${what}`);
    }
    process.stdout.write(await shownStart(bundle));
    return;
  }
  const output = args.text("output") ?? "start.profile";
  const { files, bytes } = await profile({
    bundle,
    args: args.rest,
    output,
    until: args.text("until"),
    runs: parsed(args.text("runs"), parseNumber),
    merge: args.list("merge"),
    onReport: note,
  });
  note(`${output}: ${formatBytes(bytes)} of ${counted(files, "file")}`);
}
