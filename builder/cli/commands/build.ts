/** `bundle build DIR -o OUT` */
import { build } from "../../build.ts";
import { fromBytes } from "../../manifest/manifest.ts";
import { displayPath } from "../../tree/path.ts";
import type { Arguments } from "../parse.ts";
import { formatBytes, print, printable, printJson } from "../print.ts";
import { progressBar } from "../progress.ts";
import {
  parseArch,
  parseBlockSize,
  parseCompression,
  parseThreads,
  parseVariable,
} from "../values.ts";

/** A text option through its parser, or undefined when it was not given. */
function parsed<T>(args: Arguments, name: string, parse: (text: string) => T): T | undefined {
  const text = args.text(name);
  return text === undefined ? undefined : parse(text);
}

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
    ...parsed(args, "compression", parseCompression),
    blockSize: parsed(args, "block-size", parseBlockSize),
    exclude: args.list("exclude"),
    keepMtimes: args.flag("keep-mtimes"),
    keepOwners: args.flag("keep-owners"),
    devices: args.flag("devices"),
    xattrs: !args.flag("no-xattrs"),
    threads: parsed(args, "threads", parseThreads),
    arch: parsed(args, "arch", parseArch),
    runtimeOptions: !args.flag("no-runtime-options"),
    onProgress: bar.update,
  }).finally(bar.stop);

  const { size, imageOffset, manifest, image } = result;
  if (args.flag("json")) {
    printJson({
      output: result.output,
      size,
      name: fromBytes(manifest.name),
      entry: fromBytes(manifest.entry),
      args: manifest.args.map(fromBytes),
      env: manifest.env.map(fromBytes),
      arch: manifest.arch,
      runtimeOptions: !manifest.noRuntimeOptions,
      image: { offset: imageOffset, ...image },
    });
    return;
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  print(
    `${printable(output)}: ${formatBytes(size)} from ${formatBytes(image.contentBytes)} ` +
      `in ${image.files} files, starts ${displayPath(manifest.entry)} (${seconds} s)\n`,
  );
}
