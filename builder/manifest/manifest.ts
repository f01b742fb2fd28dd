import { environment } from "../generated/spec.ts";
import type { ImageConfig } from "./image-config.ts";
import type { StartRun } from "./start-list.ts";

/** In arguments and variables, what becomes the app's folder at start. */
export const BUNDLE_DIR = `\${${environment.FUSELAGE_BUNDLE_DIR}}` as const;

/**
 * What a bundle knows about itself, as it stands in section .fuselage of its ELF. It has one of an entry
 * and an invocation, or a root and neither: then the arguments name the program.
 *
 * Texts are byte strings: one character (U+0001 to U+00FF) for each byte, as in a tree, because a
 * path or an argument need not be UTF-8.
 */
export interface Manifest extends ImageConfig {
  /** Name of the bundle. */
  name: string;
  /** Program to run: path below the image's root, without a leading slash. */
  entry?: string | undefined;
  /** "image": the image is the root directory of the app. What `ImageConfig` has goes with it. */
  root?: "image" | undefined;
  /** Arguments of the runner, in order; `/proc/self/exe` as FILE means the bundle itself. */
  invocation?: readonly string[] | undefined;
  /** Arguments before the user's own. */
  args: readonly string[];
  /** True when `${FUSELAGE_BUNDLE_DIR}` in an argument is expanded at start. */
  expandArgs?: boolean | undefined;
  /** Names of variables that the app does not inherit; `env` may set them again. */
  unset?: readonly string[] | undefined;
  /** Variables, each `K=V`. */
  env: readonly string[];
  /** Variables that are set unless the caller has them, each `K=V`. */
  envDefault?: readonly string[] | undefined;
  /** `K=V`, or with what joins them `K,=V`: V goes before the value of K. */
  envPrepend?: readonly string[] | undefined;
  /** As `envPrepend`: V goes behind the value of K. */
  envAppend?: readonly string[] | undefined;
  /** Fixed path of the image, `/run/fuselage/NAME`. */
  mountAt?: string | undefined;
  /** Folders that appear at paths of their own, each `DIR=PATH`: folder-map.ts. */
  maps?: readonly string[] | undefined;
  /** True when the app gets a private, writable copy of the image, gone at exit. */
  writable?: boolean | undefined;
  /** What the app needs of its caller's user namespace. */
  needs?: readonly string[] | undefined;
  /** Bytes of the image with its padding. */
  imageSize: number;
  /** True when `--bundle-*` options are the app's own. */
  noRuntimeOptions: boolean;
  /** Type of the AppImage that the file is; undefined for other bundles. */
  appImageType?: number | undefined;
  /** Folder that an OpenSSL in the image looks for certificates in, of whatever distribution it came from. */
  openssl?: string | undefined;
  /** What is said of each libc in the image: builder/libraries/libc/libc-record.ts. */
  libc?: readonly string[] | undefined;
  /** What a start reads, in the order of use. */
  start?: readonly StartRun[] | undefined;
  /** Bytes of what a start reads that stand uncompressed in the image; undefined: nobody has asked for it. */
  storedBytes?: number | undefined;
  /** Large files that starts keep decompressed: builder/manifest/kept-file.ts. */
  keep?: readonly string[] | undefined;
  /** What the app may do in the sandbox that it starts in, one rule each: permissions.ts. */
  sandbox?: readonly string[] | undefined;
  /** Version of the builder. */
  version: string;
  /** Architecture of the runtime. */
  arch: string;
}

/** A byte string as text; bytes that are no UTF-8 become U+FFFD. */
export function fromBytes(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}
