/** A bundle as a service of systemd, on this machine. */
import { existsSync, statSync } from "node:fs";
import { checkOptions } from "../config/validate.ts";
import { type EngineSettings, plainName } from "../engines/engine.ts";
import { placesFor } from "../engines/service/places.ts";
import * as service from "../engines/service/service.ts";
import * as errors from "../errors.ts";
import { fromBytes } from "../manifest/manifest.ts";
import { engineFacts } from "./engine-facts.ts";
import { inspect } from "./inspect.ts";

/** Which service, and what it is to be. */
export interface ServiceOptions
  extends Pick<
    EngineSettings,
    "name" | "args" | "env" | "sockets" | "credentials" | "cpus" | "memory" | "notify"
  > {
  /** Bundle; to remove it or to look at it its name does as well. */
  input: string;
  /** For the caller alone, by the systemd of that user. */
  user?: boolean | undefined;
  /** Start it, now and with the machine. */
  now?: boolean | undefined;
}

/**
 * Puts a bundle and its units in place, for the machine or for the caller alone. Doing it again changes
 * nothing, and with another version of the bundle replaces it.
 *
 * @throws E_OPTION_*, E_SERVICE_*, E_ENGINE_*, E_OUTPUT_*, and what `inspect` throws
 */
export async function installService(options: ServiceOptions): Promise<service.Installed> {
  checkOptions("service", options);
  const { input, user = false, now = false, ...settings } = options;
  const facts = await engineFacts(input);
  return service.installService(facts, settings, placesFor(user), now);
}

/**
 * Takes away what `installService` put in place, and nothing else.
 *
 * @throws E_OPTION_*, E_SERVICE_*
 */
export async function removeService(options: ServiceOptions): Promise<service.Removed> {
  checkOptions("service", options);
  return service.removeService(await nameOf(options), placesFor(options.user ?? false));
}

/**
 * How a service is.
 *
 * @throws E_OPTION_*, E_SERVICE_*
 */
export async function serviceStatus(options: ServiceOptions): Promise<service.Status> {
  checkOptions("service", options);
  return service.serviceStatus(await nameOf(options), placesFor(options.user ?? false));
}

/**
 * The bundle itself may be gone by then.
 *
 * @throws E_OPTION_CONFLICT for what only an installation takes
 */
async function nameOf({ input, user: _, name, ...rest }: ServiceOptions): Promise<string> {
  const strange = Object.entries(rest).find(([, value]) => value !== undefined)?.[0];
  if (strange !== undefined) {
    throw errors.optionConflict((name) => `${name(strange)} is for install`);
  }
  if (name !== undefined) return plainName(name);
  if (existsSync(input) && statSync(input).isFile()) {
    const { manifest } = await inspect(input);
    if (manifest !== undefined) return plainName(fromBytes(manifest.name));
  }
  if (plainName(input) !== input) throw errors.inputMissing(input);
  return input;
}
