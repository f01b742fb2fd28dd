/** A container image, or a folder or tar archive that is a whole root file system. */
import path from "node:path";
import { imageOptions } from "../../config/image-options.ts";
import * as errors from "../../errors.ts";
import { treeFromDirectory } from "../../input/add-directory.ts";
import { leaveOut } from "../../input/ignore-file.ts";
import { asksForLibraries } from "../../libraries/add-libraries.ts";
import { plainConfig } from "../../oci/config.ts";
import { addMountPoints } from "../../oci/mount-points.ts";
import { type ReadImage, readImage } from "../../oci/read-image.ts";
import type { ImageReference } from "../../oci/reference.ts";
import { EarlyBlocks } from "../../squashfs/early-blocks.ts";
import { editTree } from "../../tree/edits.ts";
import { displayPath } from "../../tree/path.ts";
import { resolvePath } from "../../tree/resolve.ts";
import type { Tree } from "../../tree/tree.ts";
import { type Warning, warning } from "../../warnings.ts";
import type { App, AppRequest, DetectInput, Kind } from "../kind.ts";

/** What an image without a command of its own starts. */
const SHELL = "/bin/sh";

/** Paths that a message names. */
const SHOWN = 3;

export const image: Kind = {
  name: "image",

  async detect(input: DetectInput): Promise<string | undefined> {
    if (input.image === undefined) return undefined;
    return input.image.transport === "tar" ? "a tar archive as root" : "by its name";
  },

  async prepare(request: AppRequest): Promise<App> {
    const { options, source, why } = request;
    if (asksForLibraries(options)) {
      throw errors.optionConflict(
        (name) => `${name("withLibs", true)}, and a container image has libraries of its own`,
      );
    }
    const warnings: Warning[] = [];
    const read = await withEarlyBlocks(request, (early) =>
      readRoot(request, early, (one) => warnings.push(one)),
    );
    await leaveOut(read.tree, options);
    editTree(read.tree, options);
    const added = addMountPoints(read.tree);
    const start = startOf(read, request);
    return {
      kind: "image",
      tree: read.tree,
      args: start.args,
      env: read.config.env,
      unsetEnv: [],
      earlyBlocks: read.earlyBlocks,
      keeps: { owners: !source.isDirectory || process.geteuid?.() === 0, mtimes: true },
      image: {
        ...read.config.image,
        cmd: start.cmd,
        ...(read.source !== undefined && { source: read.source }),
      },
      summary: `image (${why})`,
      explain: [
        ...read.explain,
        ...describe(start, read),
        ...(added.length > 0 ? [`added to mount on: ${added.map(displayPath).join(", ")}`] : []),
      ],
      warnings: [...warnings, ...warningsOf(read)],
    };
  },
};

/** Has contents compressed while they are read, where an image will be written of them. */
async function withEarlyBlocks(
  request: AppRequest,
  read: (early: EarlyBlocks | undefined) => Promise<ReadImage>,
): Promise<ReadImage & { earlyBlocks?: string | undefined }> {
  const { source, options } = request;
  const isStream = source.image !== undefined || !source.isDirectory;
  const early =
    isStream && !options.explains
      ? EarlyBlocks.start(imageOptions(options), () => path.join(request.workspace, "blocks"))
      : undefined;
  try {
    return { ...(await read(early)), earlyBlocks: await early?.finish() };
  } catch (thrown) {
    await early?.discard();
    throw thrown;
  }
}

/** The options ask for one of three inputs. */
async function readRoot(
  request: AppRequest,
  early: EarlyBlocks | undefined,
  warn: (one: Warning) => void,
): Promise<ReadImage> {
  const { source, input, options, step, signal } = request;
  const devices = options.devices ?? false;
  const { mirrors, insecure, offline, cache, onFetch: onProgress } = options;
  const around = {
    registry: { mirrors, insecure, offline, cache, onProgress, onWarning: warn, signal },
    arch: options.arch,
    devices,
    early,
    step,
    signal,
    get workspace() {
      return request.workspace;
    },
  };
  if (source.image !== undefined) return readImage(source.image, around);
  if (!source.isDirectory) {
    const reference: ImageReference = { transport: "tar", path: input };
    return readImage(reference, around);
  }
  const tree = await treeFromDirectory(input, {
    exclude: options.exclude ?? [],
    anything: true,
    ...(signal && { signal }),
  });
  if (tree.root.entries.size === 0) throw errors.inputEmpty(source.shown);
  return { tree, config: plainConfig(), explain: [], leftOut: withoutSpecial(tree, devices) };
}

/** Sockets are nothing without their process. */
function withoutSpecial(tree: Tree, devices: boolean): string[] {
  const leftOut: string[] = [];
  for (const { path, node } of tree.walk()) {
    const isDevice = node.kind === "fifo" || node.kind.endsWith("-device");
    if (node.kind === "socket" || (isDevice && !devices)) leftOut.push(path);
  }
  for (const path of leftOut) {
    const at = path.lastIndexOf("/");
    const parent = at < 0 ? tree.root : tree.get(path.slice(0, at));
    if (parent?.kind === "directory") parent.entries.delete(path.slice(at + 1));
  }
  return leftOut;
}

interface Start {
  args: readonly string[];
  /** Byte strings. */
  cmd: readonly string[];
}

/** Entrypoint and Cmd, as options change them: what --entry or --arg says takes the place of Cmd. */
function startOf({ tree, config }: ReadImage, { options }: AppRequest): Start {
  const { args } = config;
  const cmd = config.image.cmd ?? [];
  const here = (words: readonly string[]) => fromRoot(words, config.image.workdir);
  if (options.entry !== undefined) return { args: here([options.entry]), cmd: [] };
  if (options.args.length > 0) return { args: here(args), cmd: [] };
  if (args.length > 0) return { args: here(args), cmd };
  if (cmd.length > 0) return { args, cmd: here(cmd) };
  return { args, cmd: hasShell(tree) ? [SHELL] : [] };
}

/**
 * A program such as `./server` is meant from WorkingDir, and without one from the root; but there the app starts where
 * its caller is.
 */
function fromRoot(words: readonly string[], workdir = "/"): readonly string[] {
  const [program = "", ...more] = words;
  if (workdir !== "/" || !program.includes("/")) return words;
  return [path.posix.resolve("/", program), ...more];
}

function hasShell(tree: Tree): boolean {
  const found = resolvePath(tree, SHELL);
  // An absolute link leads on below the image, which is the root then.
  return "found" in found || ("target" in found && found.target !== undefined);
}

function describe({ args, cmd }: Start, { config }: ReadImage): string[] {
  const { user, workdir, ports = [], volumes = [], stopSignal, labels = [] } = config.image;
  const words = (list: readonly string[]) => list.map((word) => JSON.stringify(word)).join(" ");
  const shown = cmd.map((word) => displayPath(word));
  return [
    ...(args.length > 0 ? [`entrypoint: ${words(args)}`] : []),
    ...(cmd.length > 0 ? [`command, where no arguments are given: ${words(shown)}`] : []),
    ...(args.length + cmd.length === 0 ? ["it starts what its first argument names"] : []),
    ...config.env.map((pair) => `environment: ${pair}`),
    ...(user === undefined ? [] : [`user: ${displayPath(user)}`]),
    ...(workdir === undefined ? [] : [`working directory: ${displayPath(workdir)}`]),
    ...(ports.length > 0 ? [`ports: ${ports.map(displayPath).join(", ")}`] : []),
    ...(volumes.length > 0 ? [`volumes: ${volumes.map(displayPath).join(", ")}`] : []),
    ...(stopSignal === undefined ? [] : [`stop signal: ${displayPath(stopSignal)}`]),
    ...(labels.length > 0 ? [`labels: ${labels.length}`] : []),
  ];
}

function warningsOf({ leftOut, config }: ReadImage): Warning[] {
  const shown = leftOut.slice(0, SHOWN).map((path) => displayPath(path));
  const more = leftOut.length > SHOWN ? ` and ${leftOut.length - SHOWN} more` : "";
  return [
    ...(leftOut.length > 0
      ? [warning("W_IMAGE_DEVICE", `${shown.join(", ")}${more}: devices or fifos, left out`)]
      : []),
    ...config.passedOver.map((what) => warning("W_IMAGE_CONFIG", `${what} means nothing here`)),
  ];
}
