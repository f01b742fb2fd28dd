/** `bundle pack DIR [MORE]... -o OUT` */

import { pack } from "../../api/pack.ts";
import type { ArchiveFormat } from "../../config/pack-options.ts";
import type { FileOrder, Variant } from "../../squashfs/squashfs-options.ts";
import { shownWarning } from "../../warnings.ts";
import type { Arguments } from "../parse.ts";
import { counted, formatBytes, note, print, printable, printJson } from "../print.ts";
import { progressBar, progressLines } from "../progress.ts";
import { parseCompression, parsed, parseNumber, parseSize, unread } from "../values.ts";
import { keepYoungGenerationSmall } from "../young-generation.ts";

export async function packCommand(args: Arguments): Promise<void> {
  keepYoungGenerationSmall();
  const started = performance.now();
  const output = args.text("output") ?? "";
  const bar = parsed(args.text("progress-fd"), progressLines) ?? progressBar();
  const list = (name: string) => (args.flag(name) ? args.list(name) : undefined);
  const result = await pack({
    input: args.positionals[0],
    fromDump: args.text("from-dump"),
    objects: args.text("objects"),
    more: args.positionals.slice(1),
    output,
    format: parsed(args.text("format"), unread<ArchiveFormat>),
    shebang: args.text("shebang"),
    ...parsed(args.text("compression"), parseCompression),
    variants: list("variant")?.flatMap((text) => text.split(",").map(unread<Variant>)),
    blockSize: parsed(args.text("block-size"), parseSize),
    store: list("store"),
    compress: list("compress"),
    fragments: args.flag("no-fragments") ? false : undefined,
    tailPacking: args.flag("no-tail-packing") ? false : undefined,
    order: parsed(args.text("order"), unread<FileOrder>),
    exports: args.flag("no-exports") ? false : undefined,
    exclude: list("exclude"),
    excludeFrom: list("exclude-from"),
    keepMtimes: args.flag("keep-mtimes"),
    keepOwners: args.flag("keep-owners"),
    owner: args.text("owner"),
    dirs: list("dir"),
    files: list("file"),
    symlinks: list("symlink"),
    mknod: list("mknod"),
    chmod: list("chmod"),
    devices: args.flag("devices"),
    xattrs: !args.flag("no-xattrs"),
    cache: !args.flag("no-cache"),
    paranoid: args.flag("paranoid"),
    threads: parsed(args.text("threads"), parseNumber),
    onProgress: bar.update,
  }).finally(bar.stop);

  for (const one of result.warnings) note(`warning: ${shownWarning(one)}`);
  if (args.flag("json")) {
    printJson(result);
    return;
  }
  const { size, files, contentBytes } = result;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  print(
    `${printable(output)}: ${formatBytes(size)} from ${formatBytes(contentBytes)} ` +
      `in ${counted(files, "file")} (${seconds} s)\n`,
  );
}
