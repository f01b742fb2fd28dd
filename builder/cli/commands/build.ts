/** `bundle build APP -o OUT` */
import { type BuildResult, build, type Explanation, explain } from "../../build.ts";
import { displayPath } from "../../tree/path.ts";
import type { Arguments } from "../parse.ts";
import { formatBytes, note, print, printable, printJson } from "../print.ts";
import { progressBar } from "../progress.ts";
import { manifestJson } from "../show.ts";
import {
  parseArch,
  parseBlockSize,
  parseCompression,
  parsed,
  parseKind,
  parseThreads,
  parseVariable,
} from "../values.ts";

export async function buildCommand(args: Arguments): Promise<void> {
  const started = performance.now();
  const output = args.text("output") ?? "";
  const bar = progressBar();
  const options = {
    input: args.positionals[0] ?? "",
    output,
    kind: parsed(args.text("kind"), parseKind),
    entry: args.text("entry"),
    name: args.text("name"),
    args: args.list("arg"),
    env: args.list("env").map(parseVariable),
    unsetEnv: args.list("unset-env"),
    withLibs: args.flag("with-libs"),
    libs: args.list("lib"),
    sysroot: args.text("sysroot"),
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
    onReport: note,
  };
  if (args.flag("explain")) {
    printExplanation(await explain(options), args.flag("json"));
    return;
  }
  const result = await build(options).finally(bar.stop);
  for (const warning of result.warnings) note(`warning: ${warning}`);

  if (args.flag("json")) {
    printResultJson(result);
    return;
  }
  const { size, manifest, image } = result;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  print(
    `kind: ${printable(result.summary)}\n` +
      `${printable(output)}: ${formatBytes(size)} from ${formatBytes(image.contentBytes)} ` +
      `in ${image.files} files, starts ${displayPath(manifest.entry ?? "")} (${seconds} s)\n`,
  );
}

function printResultJson(result: BuildResult): void {
  const { output, size, kind, summary, warnings, imageOffset, manifest, image } = result;
  printJson({
    output,
    size,
    kind,
    summary,
    warnings,
    ...manifestJson(manifest),
    image: { offset: imageOffset, ...image },
  });
}

function printExplanation(explanation: Explanation, json: boolean): void {
  if (json) {
    printJson(explanation);
    return;
  }
  const { summary, entry, lines, warnings, files, contentBytes } = explanation;
  const shown = [
    `kind: ${summary}`,
    `entry: ${entry}`,
    ...lines,
    `contents: ${formatBytes(contentBytes)} in ${files} files before compression`,
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
  print(shown.map((line) => `${printable(line)}\n`).join(""));
}
