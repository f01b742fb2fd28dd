/** What an assembly takes, and the check of it at the edge. */
import path from "node:path";
import * as errors from "../errors.ts";
import { optionRules, outputEndings } from "../generated/spec.ts";
import type { Architecture } from "../host/paths.ts";
import { checkedArch } from "./build-options.ts";
import { checkedName, usableName } from "./bundle-name.ts";
import { parseInvocation } from "./invocation.ts";
import { checkOptions } from "./validate.ts";

/** What an assembly takes. */
export interface AssembleOptions {
  /** Squashfs image to append, which stays as it is. */
  archive: string;
  /** File to write. */
  output: string;
  /** Arguments of the runner; `/proc/self/exe` as FILE means the bundle itself. */
  invocation: readonly string[];
  /** Default: the name of the output without `.run`. */
  name?: string | undefined;
  /** Default: this machine's. */
  arch?: Architecture | undefined;
  /** Whether the bundle takes `--bundle-*` options. Default true. */
  runtimeOptions?: boolean | undefined;
}

export interface ResolvedAssembleOptions extends AssembleOptions {
  name: string;
  arch: Architecture;
}

/** The types and the table name the same keys, or this does not compile. */
optionRules.assemble satisfies Record<keyof AssembleOptions, object>;

/**
 * Checks the options, the invocation as the runner would at start, and fills in defaults.
 *
 * @throws E_OPTION_UNKNOWN, E_OPTION_MISSING, E_OPTION_VALUE, and what `parseInvocation` throws
 */
export function resolveAssembleOptions(options: AssembleOptions): ResolvedAssembleOptions {
  const { archive, output, invocation } = options;
  if (!archive) throw errors.optionMissing("archive", "the squashfs image to append");
  if (!output) throw errors.optionMissing("output", "the file to write");
  checkOptions("assemble", options);
  parseInvocation(invocation);
  return {
    ...options,
    name: checkedName("assemble", options.name ?? defaultName(output)),
    arch: checkedArch("assemble", options.arch),
  };
}

function defaultName(output: string): string {
  const base = path.basename(output);
  const { bundle } = outputEndings;
  return usableName(base.endsWith(bundle) ? base.slice(0, -bundle.length) : base, base);
}
