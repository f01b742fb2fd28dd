/** What a build takes, and the check of it at the edge. */
import * as errors from "../errors.ts";
import { environment, optionRules, systemPaths } from "../generated/spec.ts";
import { type Architecture, hostArchitecture } from "../host/paths.ts";
import { formatMap, isProblem, mapsProblem, parseTypedMap } from "../manifest/folder-map.ts";
import type { Permissions } from "../manifest/permissions.ts";
import type { FetchProgress } from "../oci/registry/progress.ts";
import type { Tree } from "../tree/tree.ts";
import { type AppImageChoices, type OutputFormat, resolveFormat } from "./appimage-options.ts";
import { checkedName, nameFor } from "./bundle-name.ts";
import { globBelow } from "./glob-below.ts";
import type { ImageChoices } from "./image-options.ts";
import type { KindChoice, KindName } from "./kind-names.ts";
import { checkDump } from "./pack-options.ts";
import { type CommandName, checkImageChoices, checkOption, checkOptions } from "./validate.ts";

/** How the sources of a Node app become one file. */
export type BundleMode = "strict" | "fast" | "none";

/** What the kernel keeps for each user namespace: set-id programs' rights, owners of files, keyrings. */
export type Need = "setuid" | "ssh" | "keyring" | "none";

/** Which libc starts the programs of a bundle. */
export type LibcMode = "auto" | "host" | "pack";

/** What a build takes. */
export interface BuildOptions extends ImageChoices, AppImageChoices {
  /**
   * Folder to pack, an archive of one (tar, as it is or compressed by gzip, zstd or xz; zip), or one file: a
   * program or a script. "-" with a `kind`: a tar archive on standard input.
   */
  input?: string | undefined;
  /**
   * More inputs, `PATH` or `PATH:/PLACE`: folders, archives or files with an image. What is in them appears beside
   * the first one's, or in that folder; the first one decides the kind.
   */
  more?: readonly string[] | undefined;
  /** In place of `input`: file with what `dump` lists, line by line; "-": standard input. Its owners and times are kept. */
  fromDump?: string | undefined;
  /** With `fromDump`: folder with the contents, called by their SHA-256. */
  objects?: string | undefined;
  /** File to write. */
  output: string;
  /** What kind of app it is. Default "auto": found. */
  kind?: KindChoice | undefined;
  /** Fail where there is something to warn of. Default false. */
  strict?: boolean | undefined;
  /** Fail unless all that the file names is in it or on every target. Default false. */
  check?: boolean | undefined;
  /** Program to start, relative to `input`. Default: `AppRun`, then `bin/NAME`, then the only executable file. */
  entry?: string | undefined;
  /** Default: the name of the folder, or of the file without the ending of a script. */
  name?: string | undefined;
  /** Arguments before the user's own; `${FUSELAGE_BUNDLE_DIR}` is expanded at start. */
  args?: readonly string[] | undefined;
  /** Variables `K=V`; `${FUSELAGE_BUNDLE_DIR}` in V is expanded at start. */
  env?: readonly string[] | undefined;
  /** Variables `K=V` to set unless the caller has them; V as in `env`. */
  envDefault?: readonly string[] | undefined;
  /** `K=V`: V goes before the caller's value of K, joined by a colon; `K,=V`: by a comma. V as in `env`. */
  envPrepend?: readonly string[] | undefined;
  /** As `envPrepend`: V goes behind the caller's value. */
  envAppend?: readonly string[] | undefined;
  /** Names of variables that the app does not inherit; `env` may set them again. */
  unsetEnv?: readonly string[] | undefined;
  /** Pack the shared libraries that the target may not have. Default false. */
  withLibs?: boolean | undefined;
  /** Libraries that the app opens itself: paths, or names that ld.so would find. Implies `withLibs`. */
  libs?: readonly string[] | undefined;
  /**
   * What every target has: names of programs and libraries, or paths; `glibc-2.36`: a glibc as new as
   * that. Nothing warns of it, and `withLibs` leaves it out.
   */
  targetHas?: readonly string[] | undefined;
  /** Folder that libraries are looked for in, in place of this machine's root. */
  sysroot?: string | undefined;
  /**
   * "auto": the libc goes along where all that the programs load does, and is used on machines whose own is
   * too old or missing. "pack": it is used everywhere, and brings `withLibs` along. "host": the machine's.
   * Default "auto".
   */
  libc?: LibcMode | undefined;
  /** Character sets that iconv of the packed libc knows, "all" or "none". Default: usual ones where a program asks. */
  gconv?: readonly string[] | undefined;
  /** Pack devices and fifos too. Default false: they are an error. */
  devices?: boolean | undefined;
  /** Profile of a start: what it names stands first in the image and is made ready before it is asked for. */
  profile?: string | undefined;
  /** Whether the bundle says what a start reads, by a profile or by what is known of an interpreter. Default true. */
  startList?: boolean | undefined;
  /** Bytes, counted before compression: so much of what a start reads first is stored uncompressed. Default: nothing. */
  hotBudget?: number | undefined;
  /** Default: this machine's. */
  arch?: Architecture | undefined;
  /** Give the app a private, writable copy of the image, gone at exit. Default false. */
  writable?: boolean | undefined;
  /** `/run/fuselage/NAME`: where the image is at every start. Default: a new path each time. */
  mountAt?: string | undefined;
  /**
   * What the app needs of the user namespace of whoever starts it. Strategies that make no new one go
   * first. "none": nothing, and nothing warns of it.
   */
  needs?: readonly Need[] | undefined;
  /**
   * Folders of the image that appear at paths of their own: `DIR=/absolute/path`, "." is the whole
   * image; `DIR=!/path` hides a folder that is there, `DIR=?/path` goes on where it cannot appear.
   */
  maps?: readonly string[] | undefined;
  /** Start the app in a sandbox, where it may do what `permissions` lists. Default: where there are any. */
  sandbox?: boolean | undefined;
  /** What the app may do in its sandbox beside reading and running its image. Default: nothing. */
  permissions?: Permissions | undefined;
  /**
   * Globs of large files of the image that starts keep decompressed in the user's cache; `["none"]`:
   * nothing. Default: a Node that is packed.
   */
  keepHot?: readonly string[] | undefined;
  /** Start the app with the image as its root directory. Default false. */
  root?: boolean | undefined;
  /** With `root`: options of every start, as behind `--bundle-run`; blanks separate words, as in a shell. */
  run?: readonly string[] | undefined;
  /** Whether the bundle takes `--bundle-*` options. Default true. */
  runtimeOptions?: boolean | undefined;
  /** node: the interpreter: a version, a path with a slash, "host", or "none". */
  node?: string | undefined;
  /** node: C library that the interpreter is for. Default "glibc". */
  nodeLibc?: "glibc" | "musl" | "static" | undefined;
  /** node: how the sources become one file. Default "strict": where Node would load and do the same. */
  bundle?: BundleMode | undefined;
  /** node: globs of files to take along, relative to `input`. */
  include?: readonly string[] | undefined;
  /** node: whether compiled code is made at build time. Default true. */
  compileCache?: boolean | undefined;
  /** node: whether the packed Node comes first in the app's PATH. Default true. */
  nodeInPath?: boolean | undefined;
  /** node: whether files of installed packages that are for other machines are packed. Default false. */
  keepForeign?: boolean | undefined;
  /** node: whether NODE_OPTIONS and NODE_PATH of the caller reach the app. Default false. */
  inheritNodeOptions?: boolean | undefined;
  /** image: `HOST=MIRROR`: a host, or the start of a path there, that is asked before the registry HOST. */
  mirrors?: readonly string[] | undefined;
  /** image: whether plain HTTP will do where a registry has no HTTPS. Default: on this machine alone. */
  insecure?: boolean | undefined;
  /** image: whether no registry is asked, and what was fetched before has to do. Default false. */
  offline?: boolean | undefined;
  /** Is told how far the fetching of an image is, again and again. */
  onFetch?: ((progress: FetchProgress) => void) | undefined;
  /** Is told what is to be known while it goes on, one line each. */
  onReport?: ((line: string) => void) | undefined;
  /** Is told what begins, "compressing 112.1 MiB in 35 files", whether it takes long or not. */
  onStep?: ((what: string) => void) | undefined;
}

/** Options after the check: what must be known before work starts has its value. */
export interface ResolvedBuildOptions extends BuildOptions {
  /** Of a dump the name of the dump. */
  input: string;
  name: string;
  args: readonly string[];
  env: readonly string[];
  envDefault: readonly string[];
  envPrepend: readonly string[];
  envAppend: readonly string[];
  unsetEnv: readonly string[];
  maps: readonly string[];
  arch: Architecture;
  format: OutputFormat;
  /** Whether what goes into the file is to be said, and not only packed. */
  explains?: boolean;
  gathered?: Gathered;
}

/** What `input` was made of, where that is a folder of the builder's own. */
export interface Gathered {
  /** As the archive says it; contents are those of the folder. */
  tree: Tree;
  /** Puts the user's names for what is in the folder into a text. */
  rename(text: string): string;
  /** For people, one line each. */
  explain: readonly string[];
  /** What the first of several inputs is. */
  chosen?: { kind: KindName; why: string } | undefined;
}

/** The types and the table name the same keys, or this does not compile. */
optionRules.build satisfies Record<
  Exclude<keyof BuildOptions, "onFetch" | "onProgress" | "onReport" | "onStep" | "signal">,
  object
>;

/**
 * Checks the options and fills in what they default to.
 *
 * @throws E_OPTION_UNKNOWN, E_OPTION_MISSING, E_OPTION_VALUE, E_OPTION_CONFLICT, E_DESKTOP_CATEGORY,
 *   E_MAP_INVALID, E_MAP_OVERLAP, E_MAP_RESERVED, E_SANDBOX_RULE, E_SANDBOX_CONFLICT, E_SANDBOX_ROOT
 */
export function resolveBuildOptions(options: BuildOptions): ResolvedBuildOptions {
  const input = options.fromDump ?? options.input;
  if (!input) throw errors.optionMissing("input", "the folder or file to pack");
  if (options.fromDump !== undefined) checkDump(options);
  else if (options.objects !== undefined) {
    throw errors.optionConflict((name) => `${name("objects")} without ${name("fromDump")}`);
  }
  if (!options.output) throw errors.optionMissing("output", "the file to write");
  checkOptions("build", options, ["onFetch", "onProgress", "onReport", "onStep", "signal"]);
  checkImageChoices(options);
  if (options.needs?.includes("none") && new Set(options.needs).size > 1) {
    throw errors.optionConflict((name) => `${name("needs")}: none stands alone`);
  }
  if (options.libc === "host" && options.gconv !== undefined) {
    const what = (name: errors.OptionNames) =>
      `${name("gconv")} is for a libc that is packed, and ${name("libc", "host")} packs none`;
    throw errors.optionConflict(what);
  }
  checkSandbox(options);
  checkHotBudget(options);
  const format = resolveFormat(options, options.output);
  if (options.root) checkRoot(options, format);
  return {
    ...withoutProfile({ ...options, input }),
    name: checkedName("build", options.name ?? nameFor(options, input)),
    args: options.args ?? [],
    env: (options.env ?? []).map(checkedVariable),
    envDefault: options.envDefault ?? [],
    envPrepend: options.envPrepend ?? [],
    envAppend: options.envAppend ?? [],
    unsetEnv: options.unsetEnv ?? [],
    maps: checkedMaps(options.maps ?? []),
    arch: checkedArch("build", options.arch),
    format,
  };
}

/**
 * With the image as root there is one place for it, nothing of the machine to map it into, and a user
 * namespace.
 *
 * @throws E_OPTION_CONFLICT, E_SANDBOX_ROOT
 */
export function checkRoot(
  {
    mountAt,
    maps = [],
    needs = [],
    permissions,
  }: Pick<BuildOptions, "mountAt" | "maps" | "needs" | "permissions">,
  format: OutputFormat,
): void {
  const refuse = (key: string, value?: string) =>
    errors.optionConflict((name) => `${name("root", true)}, and ${name(key, value)}`);
  if (format === "appimage") throw refuse("format", format);
  if (mountAt !== undefined) throw refuse("mountAt");
  if (maps.length > 0) throw refuse("maps");
  if (needs.some((need) => need !== "none")) throw refuse("needs");
  const own = Object.entries(permissions?.fs ?? {}).find(([path]) => isOfSystem(path));
  if (own !== undefined) {
    const what = "with the image as root directory that is the image's own";
    throw errors.sandboxRule("E_SANDBOX_ROOT", `fs ${own.join(" ")}`, what);
  }
}

/** What the machine has at such a path would cover the image's; `fs /` is of what every start shows. */
function isOfSystem(path: string): boolean {
  const { below, exactly } = systemPaths;
  return (
    path !== "/" &&
    (exactly.some((one) => one === path) || below.some((one) => `${path}/`.startsWith(`${one}/`)))
  );
}

/** What an app in a sandbox cannot have. @throws E_OPTION_CONFLICT */
function checkSandbox({ sandbox, permissions, needs = [] }: BuildOptions): void {
  if (sandbox === false && permissions !== undefined) {
    throw errors.optionConflict((name) => `sandbox: false, and ${name("permissions")}`);
  }
  const need = needs.find((one) => one !== "none");
  if (need !== undefined && (sandbox || permissions !== undefined)) {
    // Nothing in it gains rights by a program's set-id bits, and keyrings of the caller's are outside.
    throw errors.optionConflict((name) => `${name("needs", need)}, and ${name("sandbox", true)}`);
  }
}

/** @throws E_OPTION_CONFLICT where there is nothing that it could be for */
function checkHotBudget({ hotBudget, startList, compression }: BuildOptions): void {
  if (hotBudget === undefined) return;
  const refuse = (key: string, value: string | boolean) =>
    errors.optionConflict((name) => `${name("hotBudget")}, and ${name(key, value)}`);
  if (startList === false) throw refuse("startList", false);
  if (compression === "none") throw refuse("compression", compression);
}

/** A profile in the folder that is packed is no part of the app. */
function withoutProfile<T extends BuildOptions & { input: string }>(options: T): T {
  if (options.profile === undefined) return options;
  const glob = globBelow(options.input, options.profile);
  return glob === undefined ? options : { ...options, exclude: [...(options.exclude ?? []), glob] };
}

/**
 * The caller's value of a variable in its own new value: it would be these characters, in silence.
 *
 * @throws E_OPTION_VALUE
 */
function checkedVariable(pair: string): string {
  const [, name = "", value = ""] = /^([A-Za-z_]\w*)=(.*)$/s.exec(pair) ?? [];
  if (name === "" || name === environment.FUSELAGE_BUNDLE_DIR) return pair;
  const own = new RegExp(`(?<!\\$)\\$(${name}(?!\\w)|\\{${name}(?!\\w)[^}]*\\})`).exec(value)?.[0];
  if (own !== undefined) throw errors.ownVariable(name, value, own);
  return pair;
}

/**
 * Maps as a manifest has them. Whether the image has their folders is seen when there is one.
 *
 * @throws E_MAP_INVALID, E_MAP_OVERLAP, E_MAP_RESERVED
 */
function checkedMaps(texts: readonly string[]): string[] {
  const maps = texts.map((text) => {
    const map = parseTypedMap(text);
    if (isProblem(map)) throw errors.map(map.code, text, map.what);
    return map;
  });
  const problem = mapsProblem(maps);
  if (problem) throw errors.map(problem.code, formatMap(problem.map), problem.what);
  return maps.map(formatMap);
}

/**
 * The machine that is asked for, else this one.
 *
 * @throws E_OPTION_VALUE when there is no runtime for it
 */
export function checkedArch(command: CommandName, asked: string | undefined): Architecture {
  const arch = asked ?? hostArchitecture() ?? process.arch;
  checkOption(command, "arch", arch);
  return arch as Architecture;
}
