/** The public API of fuselage-bundle. */
export { type BuildResult, build } from "./build.ts";
export type { BuildOptions } from "./config/build.ts";
export { BundleError, type ErrorCode } from "./errors.ts";
export { version } from "./generated/spec.ts";
export { type Inspection, inspect } from "./inspect.ts";
export type { Manifest } from "./manifest/manifest.ts";
export { type Architecture, architectures, runtimePath } from "./paths.ts";
export type { Compression, ImageFacts, Progress } from "./squashfs/index.ts";
