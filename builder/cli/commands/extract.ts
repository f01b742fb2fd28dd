/** `bundle extract FILE [-d DIR]` */
import { withImage } from "../../inspect.ts";
import { publishDirectory } from "../../output/directory.ts";
import type { Arguments } from "../parse.ts";
import { formatBytes, print, printable, printJson } from "../print.ts";

export async function extractCommand(args: Arguments): Promise<void> {
  const file = args.positionals[0] ?? "";
  const directory = args.text("directory") ?? "squashfs-root";
  // As unsquashfs does it: what only root can give back is given back by root.
  const asRoot = process.getuid?.() === 0 && !args.flag("no-owners");
  const { dir, result } = await withImage(file, (_, image) =>
    publishDirectory(directory, (temporary) =>
      image.extract(temporary, { owners: asRoot, devices: asRoot }),
    ),
  );
  if (args.flag("json")) {
    printJson({ directory: dir, ...result });
    return;
  }
  const { entries, bytes, skippedDevices, skippedXattrs } = result;
  const skipped = [
    ...(skippedDevices > 0 ? [`${skippedDevices} device nodes`] : []),
    ...(skippedXattrs > 0 ? [`${skippedXattrs} extended attributes`] : []),
  ].join(" and ");
  print(
    `${printable(directory)}: ${entries} entries, ${formatBytes(bytes)}` +
      `${skipped && `; left out ${skipped}`}\n`,
  );
}
