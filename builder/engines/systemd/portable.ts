/**
 * A bundle as a portable service: the root file system of its service, with the unit in it, which systemd mounts
 * for the service alone (https://systemd.io/PORTABLE_SERVICES). Nothing of the runner is in it.
 */
import { MACHINE } from "../../export/portable-root.ts";
import { CAPABILITIES } from "../../export/runtime-config.ts";
import type { StartConfig } from "../../export/start-config.ts";
import type { ProcessUser } from "../../export/users.ts";
import { renderTemplate } from "../../host/template.ts";
import {
  type BundleFacts,
  type EngineFile,
  type EngineSettings,
  oneLine,
  plainName,
} from "../engine.ts";
import { fenceOf } from "./fence.ts";
import { unitArgument, unitPath, unitText, unitWord } from "./quoting.ts";
import { listeningOn } from "./sockets.ts";
import { credential, fenceText, limitsOf, socketUnit } from "./systemd.ts";

/** What of the image is known besides. */
export interface PortableStart {
  config: StartConfig;
  /** Absolute path of the program that is started. */
  program: string;
  /** Where paths of the machine's are mounted, as `mountPoints` has it. */
  points: ReadonlyMap<string, string>;
  /** Whom the image names, by its own passwd and group files. */
  user: ProcessUser;
}

/** Name of the service and the socket: what stands before the version in the name of the image. */
export type PortableSettings = EngineSettings & { name: string };

/**
 * The units, and os-release(5) for an image that has none.
 *
 * @throws E_ENGINE_INPUT, E_OPTION_VALUE
 */
export function portableFiles(
  facts: BundleFacts,
  settings: PortableSettings,
  start: PortableStart,
): { units: EngineFile[]; release: string } {
  const { name } = settings;
  const listening = settings.sockets && listeningOn(settings.sockets, facts);
  const description = unitText(facts.description);
  // Its files are there already: no namespace is made and nothing is mounted by a start.
  const { mount: _, ...fence } = fenceOf(
    { ...facts, needsNamespace: false },
    "image",
    start.points,
  );
  const head = renderTemplate("engines/systemd/portable.service", {
    name,
    description,
    socket: listening && `${name}.socket`,
    ...commandOf(settings, start),
    credentials: (settings.credentials ?? []).map(credential),
    stopSignal: facts.stopSignal,
    ...limitsOf(settings),
    type: settings.notify ? "notify" : "exec",
    ...ownerOf(facts, start),
    ...foldersOf(facts, name, start),
    machine: [...start.points].some(([path, point]) => path !== point) ? MACHINE : undefined,
  });
  const isPrivileged = facts.isRoot && start.user.uid === 0;
  // Entry scripts give files to users of the image and become one of them: none but root and their own are in a
  // namespace of users that systemd makes.
  const asRoot = { capabilities: CAPABILITIES.join(" "), privateUsers: undefined };
  const service = head + fenceText({ ...fence, ...(isPrivileged && asRoot) });
  const release = renderTemplate("engines/systemd/os-release", {
    name: name.toLowerCase(),
    description: oneLine(facts.description).replaceAll("'", "’"),
  });
  return {
    units: [
      { name: `${name}.service`, text: service },
      ...(listening ? [socketUnit(name, description, listening)] : []),
    ],
    release,
  };
}

function commandOf(settings: PortableSettings, { config, program }: PortableStart) {
  const { Entrypoint = [], Cmd = [], Env = [] } = config;
  // As for a container engine: the user's arguments take the place of Cmd.
  const [, ...args] = [...Entrypoint, ...(settings.args ?? Cmd)];
  return {
    command: [unitPath(program, "a program"), ...args.map(unitArgument)].join(" "),
    environment: [...Env, ...(settings.env ?? [])].map(unitWord),
  };
}

/** An image that is a root has users of its own; systemd looks names up on the machine, so they are numbers. */
function ownerOf({ isRoot }: BundleFacts, { user }: PortableStart) {
  if (!isRoot) return { dynamicUser: "yes", user: undefined, group: undefined, groups: undefined };
  const { uid, gid, additionalGids: more } = user;
  return {
    dynamicUser: undefined,
    user: `${uid}`,
    group: `${gid}`,
    groups: more?.join(" "),
  };
}

function foldersOf({ isRoot, volumes }: BundleFacts, name: string, { config }: PortableStart) {
  const kept = volumes.map((volume, index) => ({ volume, state: `${plainName(volume)}-${index}` }));
  const workdir = config.WorkingDir || "/";
  return {
    states: [name, ...kept.map(({ state }) => `${name}/${state}`)].join(" "),
    volumes: kept.map(
      ({ volume, state }) =>
        `%S/${name}/${state}:${unitPath(volume, "a volume", ":").slice(1, -1)}`,
    ),
    home: isRoot ? undefined : `%S/${name}`,
    folder: isRoot ? unitPath(workdir, "the working folder").slice(1, -1) : `%S/${name}`,
    umask: isRoot ? "0022" : "0077",
  };
}
