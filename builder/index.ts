/** The public API of fuselage-bundle. */

export { type AppendedImage, type AssembleResult, assembleBundle } from "./api/assemble.ts";
export { type BuildResult, build, type Explanation, explain } from "./api/build.ts";
export { type CacheInfo, type CachePart, cacheInfo, clearCache } from "./api/cache.ts";
export { type CheckOptions, type CheckResult, check } from "./api/check.ts";
export type { TakenImage } from "./api/convert.ts";
export {
  type Difference,
  type DiffOptions,
  type DiffResult,
  diff,
  type FactDifference,
  type PermissionDifferences,
} from "./api/diff.ts";
export { doctor, type Finding } from "./api/doctor.ts";
export {
  contentDigest,
  type DumpOptions,
  type DumpRecord,
  dump,
  dumpLine,
} from "./api/dump.ts";
export { type ExportOptions, type ExportResult, exportImage } from "./api/export.ts";
export { type EngineOptions, type EngineResult, exportEngine } from "./api/export-engine.ts";
export { exportMicroVm, type MicroVm, type MicroVmOptions } from "./api/export-microvm.ts";
export { exportPortable, type Portable, type PortableOptions } from "./api/export-portable.ts";
export {
  exportRuntimeBundle,
  type RuntimeBundle,
  type RuntimeBundleOptions,
} from "./api/export-runtime.ts";
export { type AppImageFacts, type Inspection, inspect } from "./api/inspect.ts";
export { type MountOptions, mount } from "./api/mount.ts";
export { type PackOptions, type PackResult, pack } from "./api/pack.ts";
export { type ProfileResult, profile } from "./api/profile.ts";
export {
  type EntryKind,
  type ReadableImage,
  type ReadEntry,
  readImage,
} from "./api/read-image.ts";
export { type ReproduceOptions, type Reproduction, reproduce } from "./api/reproduce.ts";
export { type UmountOptions, umount } from "./api/umount.ts";
export { type Verification, type VerifyOptions, verify } from "./api/verify.ts";
export { type ImageSource, type WriteImageOptions, writeImage } from "./api/write-image.ts";
export type { OutputFormat } from "./config/appimage-options.ts";
export type { AssembleOptions } from "./config/assemble-options.ts";
export type { BuildOptions, BundleMode, LibcMode, Need } from "./config/build-options.ts";
export {
  type BundleConfig,
  defineConfig,
  findConfig,
  type LoadedConfig,
  loadConfig,
} from "./config/config-file.ts";
export type { LayerCompression } from "./config/export-options.ts";
export type { KindChoice, KindName } from "./config/kind-names.ts";
export type { ArchiveFormat } from "./config/pack-options.ts";
export type { ProfileOptions } from "./config/profile-options.ts";
export type { EngineSettings } from "./engines/engine.ts";
export type { EngineName } from "./engines/engines.ts";
export { BundleError, type ErrorCode, type FailureText, type OptionNames } from "./errors.ts";
export { type Cause, type Strategy, version } from "./generated/spec.ts";
export { type Architecture, architectures, runtimePath } from "./host/paths.ts";
export type { Manifest } from "./manifest/manifest.ts";
export type {
  FileAccess,
  Permissions,
  PortPermissions,
  SandboxDevice,
  SessionPermissions,
} from "./manifest/permissions.ts";
export type { StartRun } from "./manifest/start-list.ts";
export type { SuperblockFacts } from "./native/addon.ts";
export type { FetchProgress } from "./oci/registry/progress.ts";
export type {
  Compression,
  FileOrder,
  ImageFacts,
  Progress,
  Variant,
} from "./squashfs/squashfs-options.ts";
export type { Warning, WarningCode } from "./warnings.ts";
