/** What making a container image takes. */
import * as errors from "../errors.ts";
import { optionRules } from "../generated/spec.ts";
import type { Architecture } from "../host/paths.ts";
import { checkOptions } from "./validate.ts";

/** How a layer is compressed. */
export type LayerCompression = (typeof optionRules.export.compression.choices)[number];

/** What making a container image takes. */
export interface ExportOptions {
  /** Bundle, squashfs image, or an app, which is built as its configuration file says. */
  input: string;
  /** The same for other machines. */
  more?: readonly string[] | undefined;
  /** `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:NAME:TAG]` or `docker://HOST/NAME[:TAG]`. */
  to: string;
  /** Image whose layers go below. */
  base?: string | undefined;
  /** Names of the image there. Default: the one in `to`, else "latest". */
  tags?: readonly string[] | undefined;
  /** The file itself, in place of what is in it. */
  artifact?: boolean | undefined;
  /** Absolute path that the files go to. Default: that of the bundle, else /opt/NAME. */
  at?: string | undefined;
  /** Default "gzip"; a docker archive has none. */
  compression?: LayerCompression | undefined;
  /** Each `K=V`. */
  labels?: readonly string[] | undefined;
  /** Machine of an image that does not say its own. Default: this machine. */
  arch?: Architecture | undefined;
  /** Plain HTTP for a registry that is not on this machine. */
  insecure?: boolean | undefined;
  /** Stops the work. */
  signal?: AbortSignal | undefined;
}

/** The types and the table name the same keys, or this does not compile. */
optionRules.export satisfies Record<
  | Exclude<keyof ExportOptions, "signal">
  | ("runtimeBundle" | "hook" | "rootless")
  // What is of engines: api/export-engine.ts.
  | ("systemd" | "compose" | "quadlet" | "cloudInit" | "force")
  | ("name" | "program" | "args" | "env" | "sockets" | "credentials" | "image" | "url")
  | ("kubernetes" | "nomad" | "fuse" | "artifactImage" | "ports" | "cpus" | "memory")
  | "portable" // api/export-portable.ts
  // Of a micro-VM: api/export-microvm.ts.
  | ("microvm" | "kernel" | "tap" | "address" | "gateway" | "nameservers")
  | "autoUpdate"
  | ("region" | "secrets" | "replicas" | "job" | "probe" | "driver"),
  object
>;

/**
 * Checks the options.
 *
 * @throws E_OPTION_UNKNOWN, E_OPTION_MISSING, E_OPTION_VALUE, E_OPTION_CONFLICT
 */
export function checkExportOptions(options: ExportOptions): void {
  if (!options.input) throw errors.optionMissing("input", "the bundle or app to export");
  if (!options.to) throw errors.optionMissing("to", "where the image is written to");
  checkOptions("export", options, ["signal"]);
  for (const key of ["at", "base", "compression"] as const) {
    if (!options.artifact || options[key] === undefined) continue;
    throw errors.optionConflict(
      (name) => `${name(key)} says nothing about ${name("artifact")}, which is the file as it is`,
    );
  }
}
