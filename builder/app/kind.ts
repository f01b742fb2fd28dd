/**
 * What a kind of app is to the build: something that recognises its inputs and makes a tree and an
 * invocation of them. One file or folder for each kind; app/kinds.ts lists them.
 */
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import type { KindName } from "../config/kind-names.ts";
import type { LibcRecord } from "../libraries/libc/libc-record.ts";
import type { FolderMap } from "../manifest/folder-map.ts";
import type { ImageConfig } from "../manifest/image-config.ts";
import type { KeptFile } from "../manifest/kept-file.ts";
import type { ImageReference } from "../oci/reference.ts";
import type { Profile } from "../profile/profile.ts";
import type { Tree } from "../tree/tree.ts";
import type { Warning } from "../warnings.ts";

/** The input as it is on disk. What is read is kept, so that detection costs little. */
export interface DetectInput {
  /** Absolute path of the folder or file. */
  readonly path: string;
  /** The path as the user wrote it, for messages. */
  readonly shown: string;
  readonly isDirectory: boolean;
  /** The container image that the input names; there is no folder or file then that is packed. */
  readonly image?: ImageReference | undefined;
  /** `--entry`: path below the folder. */
  readonly entry: string | undefined;
  /** Name of the bundle. */
  readonly name: string;
  /** Where folders of it will appear; byte strings. */
  readonly maps: readonly FolderMap[];
  /**
   * First bytes, at most 4096, of the input file or of a file below the input folder; undefined
   * where there is no file that can be read.
   */
  head(relative?: string): Promise<Buffer | undefined>;
  /**
   * The folder as it is, without what --exclude names and with what else is asked for (tree/edits.ts); a
   * file as `bin/` and its name, executable. A kind that makes a tree of its own edits that.
   *
   * @throws what `treeFromDirectory` throws
   */
  tree(): Promise<Tree>;
}

export interface AppRequest {
  /** Absolute path: folder or file. */
  input: string;
  /** The same, with what detection has read already. */
  source: DetectInput;
  /** Why the input is of this kind, in a few words: "as asked for", "it starts with #!". */
  why: string;
  options: ResolvedBuildOptions;
  /** Says what is to be known, one line each. */
  report(line: string): void;
  /** Says what begins. */
  step(what: string): void;
  signal?: AbortSignal | undefined;
  /** Private temporary folder, made when it is first asked for, removed by the pipeline. */
  readonly workspace: string;
}

/** A profile that nobody had to name. */
export interface KnownStart {
  profile: Profile;
  /** Where it comes from, for people. */
  from: string;
  /** Of a bundle that is built again: bytes of it that stand uncompressed in its image. */
  storedBytes?: number | undefined;
}

/** What goes into a bundle and how it starts. Texts, except paths of the tree, are Unicode. */
export interface App {
  kind: KindName;
  /** Contents are on disk until the image has been written. */
  tree: Tree;
  /**
   * Program to start: path below the root of the tree, a byte string. Undefined only with `image`: the
   * first argument is the program then, looked up in PATH.
   */
  entry?: string | undefined;
  /** Arguments before those of --arg; `${FUSELAGE_BUNDLE_DIR}` is expanded at start. */
  args: readonly string[];
  /** Variables `K=V` that --env may replace; `${FUSELAGE_BUNDLE_DIR}` in V is expanded at start. */
  env: readonly string[];
  /** As `env`, where the caller has none. */
  envDefault?: readonly string[];
  /** Put before the caller's value: `PATH=V`, or with another joint than a colon `K,=V`. */
  envPrepend?: readonly string[];
  /** Put behind the caller's value. */
  envAppend?: readonly string[];
  /** Names of variables that the app does not inherit. */
  unsetEnv: readonly string[];
  /** What it needs of its caller's user namespace, beside what the options say. */
  needs?: readonly string[];
  /** Folder that its OpenSSL looks for certificates in; undefined where it has none. */
  openssl?: string | undefined;
  /** Files that every start reads much of: paths of the tree, byte strings. */
  hot?: readonly string[];
  /** Owners and times are those of the tree, where the options do not say otherwise. */
  keeps?: { owners: boolean; mtimes: boolean };
  /** There when the tree is the root directory of the app, as that of a container image is. */
  image?: ImageConfig | undefined;
  /** What is recorded of such files; of an image that is taken over, what was. */
  kept?: readonly KeptFile[];
  /** A libc that its programs are started by, for each kind of it. */
  libc?: readonly LibcRecord[];
  /** What is known of its start, in the order of use; a profile of the user's takes its place. */
  start?: KnownStart | undefined;
  /** Files that a start needs beside the entrypoint and its libraries: paths of the tree, in order. */
  first?: readonly string[];
  /** File with blocks of the image that were compressed while it was read. */
  earlyBlocks?: string | undefined;
  /** One line: what it is and why. */
  summary: string;
  /** For --explain, one line each: entry, interpreter, libraries, what is left out and why. */
  explain: readonly string[];
  /** What may go wrong on other machines. */
  warnings: readonly Warning[];
}

export interface Kind {
  readonly name: KindName;
  /** Why the input is of this kind, in a few words, or undefined when it is not. */
  detect(input: DetectInput): Promise<string | undefined>;
  /** @throws BundleError */
  prepare(request: AppRequest): Promise<App>;
}
