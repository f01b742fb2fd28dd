/** `bundle build APP [MORE]... -o OUT` */
import { type BuildResult, build, type Explanation, explain } from "../../api/build.ts";
import type { AppImageChoices, OutputFormat } from "../../config/appimage-options.ts";
import type { BundleMode, LibcMode, Need } from "../../config/build-options.ts";
import type { KindChoice } from "../../config/kind-names.ts";
import { configuredOptions, type GivenOptions } from "../../config/merge.ts";
import { parsePermissionTexts } from "../../config/permissions.ts";
import * as errors from "../../errors.ts";
import { outputEndings } from "../../generated/spec.ts";
import type { Manifest } from "../../manifest/manifest.ts";
import type { Permissions } from "../../manifest/permissions.ts";
import type { FileOrder, Variant } from "../../squashfs/squashfs-options.ts";
import { displayPath } from "../../tree/path.ts";
import { shownWarning } from "../../warnings.ts";
import type { Arguments } from "../parse.ts";
import { counted, formatBytes, note, print, printable, printJson } from "../print.ts";
import { notices, progressBar, progressLines } from "../progress.ts";
import { manifestJson } from "../show.ts";
import {
  parseArch,
  parseCompression,
  parsed,
  parseList,
  parseNumber,
  parseSize,
  parseTarget,
  unread,
} from "../values.ts";
import { keepYoungGenerationSmall } from "../young-generation.ts";

export async function buildCommand(args: Arguments): Promise<void> {
  keepYoungGenerationSmall();
  const started = performance.now();
  const named = args.positionals[0] !== undefined || args.flag("from-dump");
  if (!named && !args.flag("config")) {
    const usage = "bundle build [APP [MORE]...] -o OUT [OPTION]...";
    throw errors.argument(
      "APP is missing",
      usage,
      "Only with --config or --from-dump may APP be left out.",
    );
  }
  if (args.flag("config") && args.flag("no-config")) {
    throw errors.optionConflict("--config and --no-config exclude each other");
  }
  if (args.flag("bundle") && args.flag("no-bundle")) {
    throw errors.optionConflict("--no-bundle is --bundle=none; give one of them");
  }
  if (args.flag("arch") && args.flag("target")) {
    throw errors.optionConflict("--arch and --target say the same thing; give one of them");
  }
  if (args.text("config") === "") throw errors.optionValue("--config", "FILE", '""');
  const choice = { file: args.text("config"), none: args.flag("no-config") };
  const { options, config } = await configuredOptions(givenOptions(args), choice);
  const lines = parsed(args.text("progress-fd"), progressLines);
  if (args.flag("explain")) {
    printExplanation(await explain({ ...options, onReport: note }), config, args.flag("json"));
    return;
  }
  const bar = lines ?? progressBar();
  const slow = args.flag("json") || lines ? undefined : notices(note);
  const callbacks = {
    onFetch: bar.fetch,
    onProgress: bar.update,
    onReport: lines?.note ?? note,
    onStep: lines?.step ?? slow?.step,
  };
  const result = await build({ ...options, ...callbacks }).finally(() => {
    bar.stop();
    slow?.stop();
  });
  for (const one of result.warnings) note(`warning: ${shownWarning(one)}`);

  if (args.flag("json")) {
    printResultJson(result);
    return;
  }
  const { size, manifest, image, appImage, signedBy, zsyncFile } = result;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  print(
    `kind: ${printable(result.summary)}\n` +
      `${printable(options.output)}: ${formatBytes(size)} from ${formatBytes(image.contentBytes)} ` +
      `in ${counted(image.files, "file")}, starts ${displayPath(programOf(manifest))} (${seconds} s)\n`,
  );
  if (appImage)
    print(`AppImage: ${printable(appImage.name)}, ${printable(appImage.desktopFile)}\n`);
  if (signedBy !== undefined) print(`signed by ${signedBy}\n`);
  if (zsyncFile !== undefined)
    print(`${printable(`${options.output}${outputEndings.updates}`)}: for updates by zsync\n`);
}

function appImageChoices(args: Arguments): AppImageChoices {
  return {
    format: parsed(args.text("format"), unread<OutputFormat>),
    desktop: args.text("desktop"),
    icon: args.text("icon"),
    categories: parsed(args.text("categories"), parseList),
    terminal: args.flag("terminal") || undefined,
    appId: args.text("app-id"),
    summary: args.text("summary"),
    updateInfo: args.text("update-info"),
    sign: args.flag("sign") || undefined,
    signKey: args.text("sign") || undefined,
  };
}

/** What was typed; a key that was not is undefined, so that a configuration file may say it. */
/** What stands first of what is started; of a root directory it may be the user's to say. */
const programOf = ({ entry, args, cmd = [] }: Manifest) =>
  entry ?? args[0] ?? cmd[0] ?? "what its first argument names";

function givenOptions(args: Arguments): GivenOptions {
  const on = (name: string) => args.flag(name) || undefined;
  const off = (name: string) => (args.flag(name) ? false : undefined);
  const list = (name: string) => (args.flag(name) ? args.list(name) : undefined);
  return {
    input: args.positionals[0],
    more: args.positionals.length > 1 ? args.positionals.slice(1) : undefined,
    fromDump: args.text("from-dump"),
    objects: args.text("objects"),
    output: args.text("output"),
    kind: parsed(args.text("kind"), unread<KindChoice>),
    strict: on("strict"),
    check: on("check"),
    entry: args.text("entry"),
    name: args.text("name"),
    args: list("arg"),
    env: list("env"),
    envDefault: list("env-default"),
    envPrepend: list("env-prepend"),
    envAppend: list("env-append"),
    unsetEnv: list("unset-env"),
    withLibs: on("with-libs"),
    libs: list("lib"),
    targetHas: list("target-has"),
    sysroot: args.text("sysroot"),
    libc: parsed(args.text("libc"), unread<LibcMode>),
    gconv: list("gconv"),
    ...parsed(args.text("compression"), parseCompression),
    variants: list("variant")?.flatMap((text) => text.split(",").map(unread<Variant>)),
    blockSize: parsed(args.text("block-size"), parseSize),
    store: list("store"),
    compress: list("compress"),
    fragments: off("no-fragments"),
    tailPacking: off("no-tail-packing"),
    order: parsed(args.text("order"), unread<FileOrder>),
    exports: off("no-exports"),
    exclude: list("exclude"),
    excludeFrom: list("exclude-from"),
    keepMtimes: on("keep-mtimes"),
    keepOwners: on("keep-owners"),
    owner: args.text("owner"),
    dirs: list("dir"),
    files: list("file"),
    symlinks: list("symlink"),
    mknod: list("mknod"),
    chmod: list("chmod"),
    devices: on("devices"),
    xattrs: off("no-xattrs"),
    profile: args.text("profile"),
    startList: off("no-start-list"),
    hotBudget: parsed(args.text("hot-budget"), parseSize),
    cache: off("no-cache"),
    paranoid: on("paranoid"),
    threads: parsed(args.text("threads"), parseNumber),
    arch: parsed(args.text("arch"), parseArch) ?? parsed(args.text("target"), parseTarget),
    root: on("root"),
    run: list("run"),
    writable: on("writable"),
    mountAt: args.text("mount-at"),
    needs: list("needs")?.flatMap((text) => text.split(",").map(unread<Need>)),
    maps: list("map"),
    sandbox: on("sandbox"),
    permissions: permissionsOf(args.list("sandbox")),
    keepHot: list("keep-hot"),
    runtimeOptions: off("no-runtime-options"),
    node: args.text("node"),
    nodeLibc: parsed(args.text("node-libc"), unread<"glibc">),
    bundle: args.flag("no-bundle") ? "none" : parsed(args.text("bundle"), unread<BundleMode>),
    include: list("include"),
    compileCache: off("no-compile-cache"),
    nodeInPath: off("no-node-in-path"),
    keepForeign: on("keep-foreign"),
    inheritNodeOptions: on("inherit-node-options"),
    mirrors: list("mirror"),
    insecure: on("insecure"),
    offline: on("offline"),
    ...appImageChoices(args),
  };
}

/** `--sandbox` alone leaves them to the configuration file. */
function permissionsOf(texts: readonly string[]): Permissions | undefined {
  const rules = texts.filter((text) => text !== "");
  return rules.length === 0 ? undefined : parsePermissionTexts(rules);
}

function printResultJson(result: BuildResult): void {
  const { output, size, kind, summary, warnings, imageOffset, manifest, image } = result;
  const { appImage, signedBy, zsyncFile } = result;
  printJson({
    output,
    size,
    kind,
    summary,
    warnings,
    ...(appImage && { appImage }),
    ...(signedBy !== undefined && { signedBy }),
    ...(zsyncFile !== undefined && { zsyncFile }),
    ...manifestJson(manifest),
    image: { offset: imageOffset, ...image },
  });
}

function printExplanation(
  explanation: Explanation,
  config: string | undefined,
  json: boolean,
): void {
  if (json) {
    printJson({ ...(config !== undefined && { config }), ...explanation });
    return;
  }
  const { summary, entry, lines, warnings, files, contentBytes } = explanation;
  const shown = [
    ...(config === undefined ? [] : [`options: from ${config}`]),
    `kind: ${summary}`,
    // An image may name none: then what it starts is a line of its own.
    ...(entry === "" ? [] : [`entry: ${entry}`]),
    ...lines,
    `contents: ${formatBytes(contentBytes)} in ${counted(files, "file")} before compression`,
    ...warnings.map((one) => `warning: ${shownWarning(one)}`),
  ];
  print(shown.map((line) => `${printable(line)}\n`).join(""));
}
