/** `bundle build DIR -o OUT` */
import { build } from "../../build.ts";
import { displayPath } from "../../tree/path.ts";
import type { Arguments } from "../parse.ts";
import { formatBytes, print, printable, printJson } from "../print.ts";
import { progressBar } from "../progress.ts";
import { manifestJson } from "../show.ts";
import {
  parseArch,
  parseBlockSize,
  parseCompression,
  parsed,
  parseThreads,
  parseVariable,
} from "../values.ts";

export async function buildCommand(args: Arguments): Promise<void> {
  const started = performance.now();
  const output = args.text("output") ?? "";
  const bar = progressBar();
  const result = await build({
    input: args.positionals[0] ?? "",
    output,
    entry: args.text("entry"),
    name: args.text("name"),
    args: args.list("arg"),
    env: args.list("env").map(parseVariable),
    ...parsed(args.text("compression"), parseCompression),
    blockSize: parsed(args.text("block-size"), parseBlockSize),
    exclude: args.list("exclude"),
    keepMtimes: args.flag("keep-mtimes"),
    keepOwners: args.flag("keep-owners"),
    devices: args.flag("devices"),
    xattrs: !args.flag("no-xattrs"),
    threads: parsed(args.text("threads"), parseThreads),
    arch: parsed(args.text("arch"), parseArch),
    writable: args.flag("writable"),
    mountAt: args.text("mount-at"),
    runtimeOptions: !args.flag("no-runtime-options"),
    onProgress: bar.update,
  }).finally(bar.stop);

  const { size, imageOffset, manifest, image } = result;
  if (args.flag("json")) {
    printJson({
      output: result.output,
      size,
      ...manifestJson(manifest),
      image: { offset: imageOffset, ...image },
    });
    return;
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  print(
    `${printable(output)}: ${formatBytes(size)} from ${formatBytes(image.contentBytes)} ` +
      `in ${image.files} files, starts ${displayPath(manifest.entry ?? "")} (${seconds} s)\n`,
  );
}
