/** `bundle export APP|BUNDLE [MORE]... --to IMAGE` */
import { exportImage } from "../../api/export.ts";
import { exportRuntimeBundle } from "../../api/export-runtime.ts";
import type { LayerCompression } from "../../config/export-options.ts";
import * as errors from "../../errors.ts";
import type { Arguments } from "../parse.ts";
import { formatBytes, print, printable, printJson } from "../print.ts";
import { parseArch, parsed, unread } from "../values.ts";
import { engineFlags, engineOf, exportEngineCommand, ofEngines } from "./export-engine-command.ts";
import { exportMicroVmCommand, ofMicroVms } from "./export-microvm-command.ts";
import { exportPortableCommand } from "./export-portable-command.ts";

/** What is made in place of an image. */
const OTHERS =
  "what else is to be made: --systemd, --portable, --compose, --quadlet, --kubernetes, --nomad, --cloud-init, --fuse, --microvm or --runtime-bundle";

export async function exportCommand(args: Arguments): Promise<void> {
  refuseSecond(args);
  if (engineOf(args) !== undefined) {
    refuseImages(args, "an engine starts the bundle as it is");
    refuseMicroVms(args);
    await exportEngineCommand(args);
    return;
  }
  if (args.flag("portable")) {
    refuseImages(args, "--portable makes none");
    refuseMicroVms(args);
    await exportPortableCommand(args, ofEngines);
    return;
  }
  if (args.flag("microvm")) {
    refuseImages(args, "--microvm makes none");
    await exportMicroVmCommand(args, ofEngines);
    return;
  }
  refuseMicroVms(args);
  const ofEngine = ofEngines.find((name) => args.flag(name));
  if (ofEngine !== undefined) {
    throw errors.optionConflict(`--${ofEngine} is of engines, such as --systemd`);
  }
  const runtimeBundle = args.text("runtime-bundle");
  if (runtimeBundle !== undefined) {
    await runtimeBundleCommand(args, runtimeBundle);
    return;
  }
  const to = args.text("to");
  if (!to) throw errors.optionMissing("to", `where the image is written to; or say ${OTHERS}`);
  const list = (name: string) => (args.flag(name) ? args.list(name) : undefined);
  const result = await exportImage({
    input: args.positionals[0] ?? "",
    more: args.positionals.slice(1),
    to,
    base: args.text("base"),
    tags: list("tag"),
    artifact: args.flag("artifact") || undefined,
    at: args.text("at"),
    compression: parsed(args.text("compression"), unread<LayerCompression>),
    labels: list("label"),
    insecure: args.flag("insecure") || undefined,
    arch: parsed(args.text("arch"), parseArch),
  });
  if (args.flag("json")) {
    printJson(result);
    return;
  }
  const { tags, digest, size } = result;
  print(
    `${printable(result.to)}: ${tags.map(printable).join(", ")}, ${formatBytes(size)}\n${digest}\n`,
  );
}

/** Each of them makes something else; what is made of the second one would be nothing, without a word. */
function refuseSecond(args: Arguments): void {
  const targets = [...engineFlags, "portable", "microvm", "runtime-bundle"];
  const [first, second] = targets.filter((name) => args.flag(name));
  if (second !== undefined)
    throw errors.optionConflict(`--${first} and --${second}: one at a time`);
  const without = ["hook", "rootless"].find((name) => args.flag(name));
  if (without !== undefined && first !== "runtime-bundle") {
    throw errors.optionConflict(
      `--${without} says how a runtime starts: it goes with --runtime-bundle`,
    );
  }
}

/** Options that say something of an image alone. */
const ofImages = [
  "to",
  "base",
  "tag",
  "artifact",
  "at",
  "compression",
  "label",
  "arch",
  "insecure",
];

function refuseImages(args: Arguments, instead: string): void {
  const other = ofImages.find((name) => args.flag(name));
  if (other !== undefined) throw errors.optionConflict(`--${other} is of images, ${instead}`);
}

function refuseMicroVms(args: Arguments): void {
  const other = ofMicroVms.find((name) => args.flag(name));
  if (other !== undefined) throw errors.optionConflict(`--${other} goes with --microvm`);
}

async function runtimeBundleCommand(args: Arguments, runtimeBundle: string): Promise<void> {
  refuseImages(args, "--runtime-bundle makes none");
  const [input = "", second] = args.positionals;
  if (second !== undefined) {
    throw errors.optionConflict("--runtime-bundle takes one bundle, for this machine");
  }
  const result = await exportRuntimeBundle({
    input,
    runtimeBundle,
    hook: args.flag("hook"),
    rootless: args.flag("rootless"),
  });
  if (args.flag("json")) {
    printJson(result);
    return;
  }
  const { mountPoint } = result;
  const next =
    mountPoint === undefined ? "its hook mounts the image" : `mount the image at ${mountPoint}`;
  print(`${printable(runtimeBundle)}: ${printable(next)}\n`);
}
