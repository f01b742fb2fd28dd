/** Options of the command line and of a configuration file → one set. */
import { statSync } from "node:fs";
import path from "node:path";
import type { BuildOptions } from "./build-options.ts";
import { findConfig, type LoadedConfig, loadConfig } from "./config-file.ts";
import { globBelow } from "./glob-below.ts";

/** Name of a profile that need not be named. */
const START_PROFILE = "start.profile";

/** Options of a command line; what is undefined was not given. */
export type GivenOptions = {
  [Key in keyof BuildOptions]?: BuildOptions[Key] | undefined;
};

/** Where options beside the command line come from. */
export interface ConfigChoice {
  /** `--config`: this file. Default: the one in the folder that is packed, if there is one. */
  file: string | undefined;
  /** `--no-config`: none. */
  none: boolean;
}

export interface ConfiguredOptions {
  options: BuildOptions;
  /** The configuration file as it was named or found. */
  config: string | undefined;
}

/**
 * Fills in from the configuration file what was not given. A key that was given wins as a whole, a
 * list too. The file itself is not packed.
 *
 * @param given options; a key that is undefined was not given
 * @throws as `findConfig` and `loadConfig`
 */
export async function configuredOptions(
  given: GivenOptions,
  { file, none }: ConfigChoice,
): Promise<ConfiguredOptions> {
  const named = none ? undefined : file;
  const found =
    none || named !== undefined || !given.input ? undefined : await findConfig(given.input);
  const config = named ?? found;
  const options =
    config === undefined
      ? { ...set(given), output: given.output ?? "" }
      : merged(given, await loadConfig(config));
  return { options: withProfile(options, config), config };
}

/** The profile that lies beside the configuration file, or in the folder that is packed. */
function withProfile(options: BuildOptions, config: string | undefined): BuildOptions {
  if (options.profile !== undefined) return options;
  const dirs = [...(config === undefined ? [] : [path.dirname(config)]), options.input ?? ""];
  const profile = dirs
    .filter((dir) => dir !== "")
    .map((dir) => path.join(dir, START_PROFILE))
    .find(isFile);
  return profile === undefined ? options : { ...options, profile };
}

function merged(given: GivenOptions, { file, options }: LoadedConfig): BuildOptions {
  const { level, variants, ...others } = options;
  const dump = given.fromDump ?? options.fromDump;
  const named = given.input || options.input;
  const input = named || (dump === undefined ? path.dirname(file) : undefined);
  const result: BuildOptions = {
    output: "",
    ...others,
    // They belong to their codec.
    ...(level !== undefined && given.compression === undefined && { level }),
    ...(variants !== undefined && given.compression === undefined && { variants }),
    ...set(given),
    ...(input !== undefined && { input }),
  };
  const glob = input === undefined ? undefined : globBelow(input, file);
  return glob === undefined ? result : { ...result, exclude: [...(result.exclude ?? []), glob] };
}

function isFile(file: string): boolean {
  try {
    return statSync(file).isFile();
  } catch {
    return false; // What is wrong with the folder, its scan says.
  }
}

function set(given: GivenOptions): Partial<BuildOptions> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
