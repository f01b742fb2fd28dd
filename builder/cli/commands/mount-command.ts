/** `bundle mount FILE DIR [OPTION]...` */
import { type MountOptions, mount } from "../../api/mount.ts";
import type { Arguments } from "../parse.ts";
import { printJson } from "../print.ts";
import { parsed, unread } from "../values.ts";

export async function mountCommand(args: Arguments): Promise<void> {
  const [file = "", directory = ""] = args.positionals;
  const foreground = args.flag("foreground");
  const type = parsed(args.text("mount-type"), unread<NonNullable<MountOptions["type"]>>);
  const abort = new AbortController();
  if (foreground) {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.removeAllListeners(signal);
      process.on(signal, () => abort.abort());
    }
  }
  await mount({
    file,
    directory,
    options: args.list("options"),
    foreground,
    signal: abort.signal,
    ...(type !== undefined && { type }),
  });
  if (args.flag("json")) printJson({ file, directory });
}
