/**
 * What every engine has in common: what it is told of a bundle, and what it makes of that.
 *
 * An engine is what starts bundles where nobody types a command: systemd, an orchestrator, a cloud's first
 * boot. It is one folder or file here that fills templates of templates/engines/, which it is then the only
 * one to use, and a row in engines.ts.
 */

import type { StartConfig } from "../export/start-config.ts";
import type { optionRules } from "../generated/spec.ts";
import type { Architecture } from "../host/paths.ts";
import type { Permissions } from "../manifest/permissions.ts";

/** Ports that a bundle says it listens on; both ends are the same for one port. */
export interface PortRange {
  first: number;
  last: number;
  protocol: "tcp" | "udp" | "sctp";
}

/**
 * What an engine is told of a bundle. Texts come from whoever built it, or from a container image: they may have any
 * character but NUL, and each engine writes them as its format wants them.
 */
export interface BundleFacts {
  /** Absolute path of the file. */
  file: string;
  /** Bytes of it. */
  size: number;
  /** 64 hex digits. */
  sha256: string;
  /** What the bundle calls itself. */
  name: string;
  arch: Architecture;
  /** Of what the image says of itself by its label or else its name: one line that people read. */
  description: string;
  /** Whether the image is the root directory of the app. */
  isRoot: boolean;
  /**
   * Whether a start needs a mount namespace of its own: the app's folder is at a path that it was given, or
   * writable. Without, files that were extracted into a cache do as well.
   */
  needsNamespace: boolean;
  /** Absolute paths of folders that the app's own files are in, in an image of it; of a root none. */
  folders: readonly string[];
  ports: readonly PortRange[];
  /** Absolute paths in the image that hold data. */
  volumes: readonly string[];
  /** `SIGQUIT`, or a number. */
  stopSignal: string | undefined;
  /** What the app declares that it does in its sandbox; undefined: nothing. */
  permissions: Permissions | undefined;
  /** What the bundle and its image say of themselves. */
  labels: Readonly<Record<string, string>>;
  /**
   * How a container engine starts the image that `bundle export --to` makes; undefined where it makes none,
   * because the bundle records a command line of the runner.
   */
  start: StartConfig | undefined;
}

/** What the user says besides, by the keys of `bundle export`. */
export interface EngineSettings {
  /** What the engine is to call it. Default: the name of the bundle. */
  name?: string | undefined;
  /** Path of the bundle on the machine that starts it. Default: where it is on this one. */
  program?: string | undefined;
  /** Arguments of the app. */
  args?: readonly string[] | undefined;
  /** Variables of the app, each `K=V`. */
  env?: readonly string[] | undefined;
  /** What the engine listens on for the app, which takes the sockets over by LISTEN_FDS. */
  sockets?: readonly string[] | undefined;
  /** Secrets that the engine hands over as files, each `ID[:PATH]`. */
  credentials?: readonly string[] | undefined;
  /** Container image of the bundle, as `bundle export --to` makes one, by the name that the engine has for it. */
  image?: string | undefined;
  /** The bundle as an artifact, by the name that the engine has for it; `image` is what it is mounted into. */
  artifactImage?: string | undefined;
  /** HTTP address that a machine fetches the bundle from. */
  url?: string | undefined;
  /** What the app listens on, each `PORT[/udp]`. Default: what the bundle records. */
  ports?: readonly string[] | undefined;
  /** Processors that it may have. Default: 1 where an engine places it by that, else no limit. */
  cpus?: number | undefined;
  /** Memory that it may have, `512M` or `2G`. Default: 512M where an engine places it by that, else no limit. */
  memory?: string | undefined;
  /** The app says when it is up, by sd_notify(3). Default: it is up when it was started. */
  notify?: boolean | undefined;
  /** Where a newer image is looked for, with which it is started anew. Default: nowhere. */
  autoUpdate?: (typeof optionRules.export.autoUpdate.choices)[number] | undefined;
  /** Where hosts are that may have it, as the engine calls it. */
  region?: string | undefined;
  /** Names of variables whose values the engine keeps. */
  secrets?: readonly string[] | undefined;
  /** How many of it there are at once. Default 1. */
  replicas?: number | undefined;
  /** It runs to its end, in place of for ever. */
  job?: boolean | undefined;
  /** Path of a page that says that the app is up. Default: that its port can be connected to. */
  probe?: string | undefined;
  /** What starts it there. Default "exec2". */
  driver?: (typeof optionRules.export.driver.choices)[number] | undefined;
}

/** A file that an engine reads. */
export interface EngineFile {
  /** Name below the output's folder; of an engine that has one file, unused. */
  name: string;
  text: string;
}

/** An engine, by the key of its option. */
export interface Engine {
  /** What the option names: a folder for several files, or the one file. */
  output: "directory" | "file";
  /** Which settings mean something to it. */
  takes: readonly (keyof EngineSettings)[];
  /**
   * The same facts and settings give the same bytes.
   *
   * @throws E_ENGINE_INPUT for what the engine cannot start, or its format cannot say
   */
  files(facts: BundleFacts, settings: EngineSettings): EngineFile[] | Promise<EngineFile[]>;
}

/**
 * A name for what cares about characters: letters, digits, and `_`, `.` and `-` inside.
 *
 * @param most characters
 */
export function plainName(name: string, most = 64): string {
  const plain = name
    .replace(/[^A-Za-z0-9_.-]+/g, "-")
    .replace(/^[-.]+/, "")
    .slice(0, most)
    .replace(/[-.]+$/, "");
  return plain === "" ? "app" : plain;
}

/** Folder of bundles on a machine that an engine installs them on. */
export const INSTALLED = "/usr/local/lib/bundles";

/** Pairs of texts `K=V`. What is named again has its last value, in the first place: formats take each name once. */
export const pairsOf = (texts: readonly string[]): [string, string][] => [
  ...new Map(
    texts.map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]),
  ),
];

/** One line of what may have several, without characters that control a terminal. */
export function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ")
    .replace(/ +/g, " ")
    .trim();
}
