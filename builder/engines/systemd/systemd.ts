/** A bundle as a service of systemd: systemd.service(5), and systemd.socket(5) where something is listened on. */
import * as errors from "../../errors.ts";
import { renderTemplate } from "../../host/template.ts";
import {
  type BundleFacts,
  type Engine,
  type EngineFile,
  type EngineSettings,
  plainName,
} from "../engine.ts";
import { unitArgument, unitPath, unitText, unitWord } from "./quoting.ts";
import { type Listening, listeningOn, listenValue } from "./sockets.ts";

/** Folders that the service finds empty, or others of that name. */
const HIDDEN = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

export const systemd: Engine = {
  output: "directory",
  takes: ["name", "program", "args", "env", "sockets", "credentials"],
  files: unitFiles,
};

function unitFiles(facts: BundleFacts, settings: EngineSettings): EngineFile[] {
  const name = plainName(settings.name ?? facts.name);
  const listening = settings.sockets && listeningOn(settings.sockets, facts);
  const description = unitText(facts.description);
  const service = renderTemplate("engines/systemd/app.service", {
    name,
    description,
    socket: listening && `${name}.socket`,
    ...commandOf(facts, settings),
    ...fenceOf(facts),
  });
  return [
    { name: `${name}.service`, text: service },
    ...(listening ? [socketUnit(name, description, listening)] : []),
  ];
}

function socketUnit(name: string, description: string, listening: Listening): EngineFile {
  const text = renderTemplate("engines/systemd/app.socket", {
    description,
    streams: listening.streams.map(listenValue),
    datagrams: listening.datagrams.map(listenValue),
  });
  return { name: `${name}.socket`, text };
}

function commandOf(facts: BundleFacts, settings: EngineSettings) {
  const { program = facts.file, args = [], env = [], credentials = [] } = settings;
  const hidden = HIDDEN.find((folder) => program.startsWith(`${folder}/`));
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

const hint =
  "Put the bundle into /usr/local/lib or /opt, or say by --program where it is on the machine that starts it.";

/** `ID:PATH`, or an ID that systemd looks up in its credential stores. */
function credential(text: string): string {
  const [, id = "", file] = /^([A-Za-z0-9_.-]{1,255})(?::(\/.*))?$/s.exec(text) ?? [];
  if (id === "" || id === "." || id === "..") {
    throw errors.optionValue("credentials", "ID or ID:/PATH", JSON.stringify(text));
  }
  return file === undefined ? id : `${id}:${unitPath(file, "a credential").slice(1, -1)}`;
}

/**
 * What the service is kept from. Without a namespace of its own the runtime extracts the files, for which it
 * needs no right at all.
 */
function fenceOf({ needsNamespace, isRoot }: BundleFacts) {
  const usual = {
    mount: "extract",
    privateDevices: "yes",
    devices: undefined,
    privateUsers: "yes",
    processes: "pid",
    tunables: "yes",
    families: "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    namespaces: "yes",
    calls: ["@system-service", "~@privileged @resources"],
  };
  if (!needsNamespace) return usual;
  return {
    ...usual,
    mount: "fuse",
    privateDevices: undefined,
    devices: "/dev/fuse rw",
    privateUsers: undefined,
    processes: isRoot ? undefined : "pid",
    tunables: isRoot ? undefined : "yes",
    namespaces: "user mnt",
    calls: ["@system-service @mount", "~@resources"],
  };
}
