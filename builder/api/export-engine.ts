/** Bundle → files that an engine starts it by. */

import { checkOptions } from "../config/validate.ts";
import type { Engine, EngineSettings } from "../engines/engine.ts";
import { type EngineName, engines } from "../engines/engines.ts";
import { writeFiles, writeOne } from "../engines/write-files.ts";
import * as errors from "../errors.ts";
import { engineFacts } from "./engine-facts.ts";

/** What the files of an engine are made of: one of the keys of engines says which, and where they go. */
export interface EngineOptions extends EngineSettings {
  /** Bundle. */
  input: string;
  /** Folder for a service of systemd, and a socket where `sockets` names what it listens on. */
  systemd?: string | undefined;
  /** File for a service of Docker Compose. */
  compose?: string | undefined;
  /** Folder for a container that podman runs as a service. */
  quadlet?: string | undefined;
  /** File for the user data of a cloud's machine. */
  cloudInit?: string | undefined;
  /** File for what a cluster of Kubernetes runs. */
  kubernetes?: string | undefined;
  /** File for a job of Nomad. */
  nomad?: string | undefined;
  /** Fusefile. */
  fuse?: string | undefined;
  /** Replace files that are there. */
  force?: boolean | undefined;
}

/** The files that were written. */
export interface EngineResult {
  /** Key of its option. */
  engine: EngineName;
  /** Absolute paths. */
  files: readonly string[];
}

const names = Object.keys(engines) as EngineName[];

/**
 * Writes what an engine reads to start a bundle: units of systemd, a file of Docker Compose and others. The same bundle and options give the same bytes.
 *
 * @throws E_OPTION_*, E_ENGINE_*, E_OUTPUT_*, and what `inspect` throws
 *
 * @example
 * ```js
 * import { build, exportEngine } from "fuselage-bundle";
 *
 * await build({ input: "hello", output: "hello.run" });
 * const { files } = await exportEngine({
 *   input: "hello.run",
 *   systemd: "units",
 *   program: "/opt/hello.run",
 *   sockets: ["8080"],
 * });
 * console.log(files.map((file) => file.replace(/.*\//, ""))); // [ 'hello.service', 'hello.socket' ]
 * ```
 */
export async function exportEngine(options: EngineOptions): Promise<EngineResult> {
  const { input, force = false, ...rest } = options;
  if (!input) throw errors.optionMissing("input", "the bundle to export");
  checkOptions("export", options);
  const [engine, second] = names.filter((name) => options[name] !== undefined);
  if (engine === undefined)
    throw errors.optionMissing(names[0] ?? "systemd", "the engine, and where its files go");
  if (second !== undefined) {
    throw errors.optionConflict((name) => `${name(engine)} and ${name(second)}: one at a time`);
  }
  const { [engine]: output = "", ...settings } = rest;
  refuseStrange(engine, settings);
  const facts = await engineFacts(input);
  const made = await engines[engine].files(facts, settings);
  if (engines[engine].output === "directory") {
    return { engine, files: await writeFiles(output, made, force) };
  }
  return { engine, files: [await writeOne(output, made[0]?.text ?? "", force)] };
}

/** @throws E_OPTION_CONFLICT for a setting that the engine has no use for */
function refuseStrange(engine: EngineName, settings: EngineSettings): void {
  const { takes }: Engine = engines[engine];
  for (const [key, value] of Object.entries(settings)) {
    if (value === undefined || (takes as readonly string[]).includes(key)) continue;
    throw errors.optionConflict((name) => `${name(key)} says nothing to ${name(engine)}`);
  }
}
