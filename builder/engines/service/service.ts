/** Bundles as services: put in place, taken away, looked at. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { chmod, mkdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import * as errors from "../../errors.ts";
import { sha256OfFile } from "../../host/digest.ts";
import { isLink } from "../../host/paths.ts";
import { writeAtomically } from "../../output/atomic.ts";
import { lockedFolder } from "../../output/folder-lock.ts";
import { type BundleFacts, type EngineFile, type EngineSettings, plainName } from "../engine.ts";
import { systemdUnits } from "../systemd/systemd.ts";
import { ENDS, failureOf, requireRunning } from "./outcome.ts";
import { type Places, recordOf, withRecord } from "./places.ts";
import { makeUsers, Systemctl } from "./systemctl.ts";

/** A service that was put in place. */
export interface Installed {
  name: string;
  /** Path of the bundle there. */
  program: string;
  /** Paths of its units. */
  units: readonly string[];
  /** Whether anything was changed. */
  changed: boolean;
}

/**
 * Puts a bundle and its units in place. What is there already stays as it is.
 *
 * @param now whether it is started, now and with the machine
 * @throws E_SERVICE_*, E_ENGINE_*, E_OUTPUT_*
 */
export async function installService(
  facts: BundleFacts,
  settings: EngineSettings,
  places: Places,
  now: boolean,
): Promise<Installed> {
  const name = plainName(settings.name ?? facts.name);
  const systemctl = changing(places);
  const program = programOf(places, name);
  const record = { program, sha256: facts.sha256 };
  const files = systemdUnits(facts, { ...settings, name, program }, places.isUser)
    .filter((file) => places.users !== undefined || !file.name.endsWith(".conf"))
    .map((file) => ({ ...file, target: targetOf(places, file) }))
    .map((file) =>
      file.name.endsWith(".conf") ? file : { ...file, text: withRecord(file.text, record) },
    );
  await makeFolder(places.units);
  const { made, isNew } = await alone(places, () =>
    putFiles(facts, places, systemctl, files, name),
  );
  const units = files.filter((file) => !file.name.endsWith(".conf"));
  if (now) {
    await start(systemctl, units, made.length > 0 && !isNew);
    await requireRunning(systemctl, name);
  }
  return { name, program, units: units.map(({ target }) => target), changed: made.length > 0 };
}

/** Does something while no other command of ours changes services: what it finds is as it is until it is done. */
async function alone<T>({ units }: Places, work: () => Promise<T>): Promise<T> {
  const lock = await lockedFolder(units);
  try {
    return await work();
  } finally {
    await lock.close();
  }
}

type Target = EngineFile & { target: string };

/** @returns what was put in place or taken away, and whether nothing of the service was there */
async function putFiles(
  facts: BundleFacts,
  places: Places,
  systemctl: Systemctl,
  files: readonly Target[],
  name: string,
): Promise<{ made: readonly string[]; isNew: boolean }> {
  const program = programOf(places, name);
  const isNew = (await recordOf(path.join(places.units, `${name}.service`))) === undefined;
  for (const { target, name: file } of files) {
    if (file.endsWith(".conf")) await refuseForeignUsers(target);
    else await refuseForeign(target, systemctl);
  }
  await refuseForeignProgram(places, name, program);
  const made: string[] = [];
  try {
    if (await putProgram(facts, program)) made.push(program);
    for (const file of files) if (await putText(file.target, file.text)) made.push(file.target);
    for (const gone of await superfluous(places, name, files)) {
      await systemctl.run("disable", "--now", path.basename(gone));
      await rm(gone);
      made.push(gone);
    }
    const users = files.find((file) => file.name.endsWith(".conf"));
    if (users !== undefined) await makeUsers(users.target);
    if (made.length > 0) await systemctl.run("daemon-reload");
  } catch (cause) {
    // Of a service that was not there nothing is left; of an earlier one nothing is lost that it needs.
    if (isNew) for (const file of made) await rm(file, { force: true });
    throw cause;
  }
  return { made, isNew };
}

/** systemd, for who may change its services. */
function changing({ isUser }: Places): Systemctl {
  const systemctl = new Systemctl(isUser);
  if (!isUser && process.geteuid?.() !== 0) throw errors.servicePermission();
  return systemctl;
}

const programOf = ({ bundles }: Places, name: string) => path.join(bundles, `${name}.run`);

const targetOf = ({ units, users = units }: Places, { name }: EngineFile) =>
  path.join(name.endsWith(".conf") ? users : units, name);

async function start(
  systemctl: Systemctl,
  units: readonly { name: string }[],
  again: boolean,
): Promise<void> {
  const names = units.map(({ name }) => name).sort(); // .service before .socket
  await systemctl.run("enable", ...names);
  // A socket is there before the service that takes it over.
  await systemctl.run(again ? "restart" : "start", ...names.reverse());
}

/** Units of an earlier installation that this one has not. */
async function superfluous(places: Places, name: string, files: readonly { target: string }[]) {
  const candidates = [`${name}.socket`].map((file) => path.join(places.units, file));
  const gone: string[] = [];
  for (const file of candidates) {
    if (files.some(({ target }) => target === file)) continue;
    const found = await recordOf(file);
    if (found !== undefined && found !== "foreign") gone.push(file);
  }
  return gone;
}

/** By its path, and by its name: a unit of the distribution's elsewhere would be hidden by ours. */
async function refuseForeign(unit: string, systemctl: Systemctl): Promise<void> {
  if ((await recordOf(unit)) === "foreign") throw errors.serviceForeign(unit);
  const shown = await systemctl.show(path.basename(unit), "FragmentPath", "LoadState");
  const elsewhere = shown.get("FragmentPath") ?? "";
  if (elsewhere !== "" && elsewhere !== unit) throw errors.serviceForeign(elsewhere);
  if (shown.get("LoadState") === "masked") throw errors.serviceForeign(unit);
}

async function refuseForeignUsers(file: string): Promise<void> {
  if ((isLink(file) || existsSync(file)) && !(await isOurs(file)))
    throw errors.serviceForeign(file);
}

/** A file with the bundle's path that no unit of ours knows, or a link to another. */
async function refuseForeignProgram({ units }: Places, name: string, program: string) {
  const found = await recordOf(path.join(units, `${name}.service`));
  const isForeign = found === undefined && existsSync(program);
  if (isForeign || isLink(program)) throw errors.serviceForeign(program);
}

/** Folders as everyone can enter them, whatever the caller's umask is: services have other users. */
async function makeFolder(dir: string): Promise<void> {
  const first = await mkdir(dir, { recursive: true }).catch((cause: unknown) => {
    throw errors.outputFailed(dir, "making the folder", cause);
  });
  if (first !== undefined) await chmod(dir, 0o755);
}

/** @returns whether it was not there */
async function putProgram({ file, sha256 }: BundleFacts, target: string): Promise<boolean> {
  const there = existsSync(target) ? (await sha256OfFile(target)).toString("hex") : undefined;
  if (there === sha256) return false;
  await makeFolder(path.dirname(target));
  await writeAtomically(target, 0o755, async (handle) => {
    const hash = createHash("sha256");
    for await (const part of createReadStream(file)) {
      hash.update(part);
      await handle.writeFile(part);
    }
    if (hash.digest("hex") !== sha256) throw errors.serviceChanged(file);
    await handle.chmod(0o755);
  });
  return true;
}

/** @returns whether it was not there */
async function putText(target: string, text: string): Promise<boolean> {
  const bytes = createHash("sha256").update(text).digest("hex");
  if (existsSync(target) && (await sha256OfFile(target)).toString("hex") === bytes) return false;
  await makeFolder(path.dirname(target));
  await writeAtomically(target, 0o644, async (handle) => {
    await handle.writeFile(text);
    await handle.chmod(0o644);
  });
  return true;
}

/** What was taken away: nothing where nothing was installed. */
export interface Removed {
  name: string;
  files: readonly string[];
  /** A bundle that was changed since it was installed, which stays. */
  kept: string | undefined;
}

/**
 * Takes away what `installService` put in place. What the service has written stays.
 *
 * @throws E_SERVICE_*
 */
export async function removeService(name: string, places: Places): Promise<Removed> {
  const systemctl = changing(places);
  if (!existsSync(places.units)) return { name, files: [], kept: undefined };
  return alone(places, () => removeFiles(name, places, systemctl));
}

async function removeFiles(name: string, places: Places, systemctl: Systemctl): Promise<Removed> {
  const units = ["socket", "service"].map((end) => path.join(places.units, `${name}.${end}`));
  const found = await Promise.all(units.map(recordOf));
  const service = found[1];
  if (found.every((one) => one === undefined)) return { name, files: [], kept: undefined };
  if (service === undefined || service === "foreign") {
    throw errors.serviceForeign(units[1] ?? name);
  }
  const ours = units.filter((_, index) => typeof found[index] === "object");
  await systemctl.run("disable", "--now", ...ours.map((unit) => path.basename(unit)));
  const users = places.users && path.join(places.users, `${name}.sysusers.conf`);
  const files = [...ours, ...(users && (await isOurs(users)) ? [users] : [])];
  for (const file of files) await rm(file, { force: true });
  await systemctl.run("daemon-reload");
  const kept = await removeProgram(service.program, service.sha256);
  return { name, files: kept ? files : [...files, service.program], kept };
}

/** Whether it is the description of a user that a template of ours made. */
const isOurs = async (file: string) =>
  !isLink(file) && (await readFile(file, "utf8").catch(() => "")).startsWith("# Made by `bundle ");

/** @returns its path where it is another file by now */
async function removeProgram(program: string, sha256: string): Promise<string | undefined> {
  if (isLink(program)) return program;
  if (!existsSync(program)) return undefined;
  if ((await sha256OfFile(program)).toString("hex") !== sha256) return program;
  await rm(program);
  return undefined;
}

/** How a service is. */
export interface Status {
  name: string;
  /** Path of the bundle; undefined: it is not installed. */
  program: string | undefined;
  /** Whether the bundle is the one that was installed. */
  intact: boolean;
  /** As systemd says it: "active", "failed" and others. */
  active: string;
  /** How its last run failed, as "it has ended with status 1"; undefined: it did not. */
  failure: string | undefined;
  /** Whether it starts with the machine: "enabled", "disabled". */
  enabled: string;
  /** Process of the app; 0: none. */
  pid: number;
}

/** @throws E_SERVICE_* */
export async function serviceStatus(name: string, places: Places): Promise<Status> {
  const systemctl = new Systemctl(places.isUser);
  const unit = path.join(places.units, `${name}.service`);
  const found = await recordOf(unit);
  if (found === "foreign") throw errors.serviceForeign(unit);
  const shown = await systemctl.show(
    `${name}.service`,
    ...["ActiveState", "UnitFileState", "MainPID", ...ENDS],
  );
  const intact =
    found !== undefined &&
    existsSync(found.program) &&
    (await sha256OfFile(found.program)).toString("hex") === found.sha256;
  return {
    name,
    program: found?.program,
    intact,
    active: shown.get("ActiveState") ?? "unknown",
    failure: failureOf(shown),
    enabled: shown.get("UnitFileState") || "disabled",
    pid: Number(shown.get("MainPID") ?? 0),
  };
}
