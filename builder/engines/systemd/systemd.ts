/** A bundle as a service of systemd: systemd.service(5), and systemd.socket(5) where something is listened on. */
import * as errors from "../../errors.ts";
import { renderTemplate, type TemplateValue } from "../../host/template.ts";
import {
  type BundleFacts,
  type Engine,
  type EngineFile,
  type EngineSettings,
  oneLine,
  plainName,
} from "../engine.ts";
import { fenceOf, hiddenBy, userFenceOf } from "./fence.ts";
import { unitArgument, unitPath, unitText, unitWord } from "./quoting.ts";
import { type Listening, listeningOn, listenValue } from "./sockets.ts";

export const systemd: Engine = {
  output: "directory",
  takes: [
    ...(["name", "program", "args", "env", "sockets", "credentials"] as const),
    ...(["cpus", "memory", "notify"] as const),
  ],
  files: (facts, settings) => systemdUnits(facts, settings, false),
};

/**
 * The units, and for a service of the machine whose user is none that systemd makes up a description of him.
 *
 * @param isUser whether they are for the systemd of a user, which may make no mounts and has no other users
 */
export function systemdUnits(
  facts: BundleFacts,
  settings: EngineSettings,
  isUser: boolean,
): EngineFile[] {
  const name = plainName(settings.name ?? facts.name);
  const listening = settings.sockets && listeningOn(settings.sockets, facts);
  const description = unitText(facts.description);
  const values = {
    name,
    description,
    socket: listening && `${name}.socket`,
    ...commandOf(facts, settings, isUser),
    ...limitsOf(settings),
    type: typeOf(facts, settings),
  };
  const service = isUser
    ? renderTemplate("engines/systemd/user.service", { ...values, ...userFenceOf(facts) })
    : machineService(facts, name, values);
  return [
    { name: `${name}.service`, text: service },
    ...(listening ? [socketUnit(name, description, listening)] : []),
    ...(facts.isRoot && !isUser ? [usersFile(name, facts)] : []),
  ];
}

function machineService(
  facts: BundleFacts,
  name: string,
  values: Readonly<Record<string, TemplateValue>>,
): string {
  const { mount, ...fence } = fenceOf(facts, "machine");
  const head = { ...values, ...userOf(facts, name), mount };
  return renderTemplate("engines/systemd/app.service", head) + fenceText(fence);
}

/** What a service of the machine is kept from, which ends its unit. */
export const fenceText = (fence: Readonly<Record<string, TemplateValue>>): string =>
  renderTemplate("engines/systemd/fence.service", fence);

export function socketUnit(name: string, description: string, listening: Listening): EngineFile {
  const text = renderTemplate("engines/systemd/app.socket", {
    description,
    streams: listening.streams.map(listenValue),
    datagrams: listening.datagrams.map(listenValue),
  });
  return { name: `${name}.socket`, text };
}

/**
 * A user that systemd makes up for the time of the run has RestrictSUIDSGID= with it, which has openat2 fail, and
 * by that call the links of an image that is a root are followed inside it. Such a service has a user of the machine.
 * The folders of one that is made up are behind a link, which no cache of the runtime may be.
 */
const userOf = ({ isRoot }: BundleFacts, name: string) =>
  isRoot
    ? { dynamicUser: undefined, user: userName(name), cache: `%C/${name}` }
    : { dynamicUser: "yes", user: undefined, cache: `%C/private/${name}` };

/** Never the name of somebody whom the machine has; with at most 31 characters, and no dot. */
const userName = (name: string) => `bundle-${name.replaceAll(".", "-").slice(0, 24)}`;

function usersFile(name: string, { description }: BundleFacts): EngineFile {
  const text = renderTemplate("engines/systemd/app.sysusers.conf", {
    name,
    user: userName(name),
    // A colon separates the fields of passwd(5).
    description: unitWord(oneLine(description).replaceAll(":", " ").replaceAll("\\", "")),
  });
  return { name: `${name}.sysusers.conf`, text };
}

function commandOf(facts: BundleFacts, settings: EngineSettings, isUser: boolean) {
  const { program = facts.file, args = [], env = [], credentials = [] } = settings;
  const hidden = isUser ? undefined : hiddenBy(program);
  if (hidden !== undefined) {
    throw errors.engineInput(program, `is below ${hidden}, which a service does not see`, hint);
  }
  return {
    command: [unitPath(program, "the bundle"), ...args.map(unitArgument)].join(" "),
    environment: env.map(unitWord),
    credentials: credentials.map(credential),
    stopSignal: facts.stopSignal,
  };
}

/** @throws E_ENGINE_INPUT for an app to whom systemd's own socket is out of reach */
function typeOf({ file, isRoot }: BundleFacts, { notify = false }: EngineSettings): string {
  if (!notify) return "exec";
  if (!isRoot) return "notify";
  const what = "has a /run of its own, without the socket by which systemd is told that it is up";
  const other = "Leave --notify out, or make a portable service of it, where systemd mounts that.";
  throw errors.engineInput(file, what, other);
}

/** What it may have: systemd.resource-control(5). */
export const limitsOf = ({ cpus, memory }: EngineSettings) => ({
  quota: cpus === undefined ? undefined : `${cpus * 100}%`,
  memory,
});

const hint =
  "Put the bundle into /usr/local/lib or /opt, or say by --program where it is on the machine that starts it.";

/** `ID:PATH`, or an ID that systemd looks up in its credential stores. */
export function credential(text: string): string {
  const [, id = "", file] = /^([A-Za-z0-9_.-]{1,255})(?::(\/.*))?$/s.exec(text) ?? [];
  if (id === "" || id === "." || id === "..") {
    throw errors.optionValue("credentials", "ID or ID:/PATH", JSON.stringify(text));
  }
  return file === undefined ? id : `${id}:${unitPath(file, "a credential").slice(1, -1)}`;
}
