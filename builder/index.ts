/** The public API of fuselage-bundle. */

export type { KindName } from "./app/kind.ts";
export { type Verification, type VerifyOptions, verify } from "./appimage/verify.ts";
export { type AppendedImage, type AssembleResult, assembleBundle } from "./assemble.ts";
export { type BuildResult, build, type Explanation, explain } from "./build.ts";
export type { AssembleOptions } from "./config/assemble.ts";
export type { BuildOptions } from "./config/build.ts";
export {
  type BundleConfig,
  defineConfig,
  findConfig,
  type LoadedConfig,
  loadConfig,
} from "./config/file.ts";
export type { TakenImage } from "./convert.ts";
export { doctor, type Finding } from "./doctor.ts";
export { type DumpOptions, type DumpRecord, dump, dumpLine } from "./dump/dump.ts";
export { BundleError, type ErrorCode } from "./errors.ts";
export { version } from "./generated/spec.ts";
export { type Inspection, inspect } from "./inspect.ts";
export type { Manifest } from "./manifest/manifest.ts";
export { type MountOptions, mount } from "./mount/mount.ts";
export { type UmountOptions, umount } from "./mount/umount.ts";
export { type PackOptions, type PackResult, pack } from "./pack.ts";
export { type Architecture, architectures, runtimePath } from "./paths.ts";
export type { Compression, ImageFacts, Progress } from "./squashfs/index.ts";
