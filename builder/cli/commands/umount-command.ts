/** `bundle umount DIR [--lazy]` */
import { umount } from "../../api/umount.ts";
import type { Arguments } from "../parse.ts";
import { printJson } from "../print.ts";

export async function umountCommand(args: Arguments): Promise<void> {
  const directory = args.positionals[0] ?? "";
  umount(directory, { lazy: args.flag("lazy") });
  if (args.flag("json")) printJson({ directory });
}
