/** Rules of record SANDBOX, as runtime/sandbox reads them → what they allow together. */
import { permissionPlaces, permissionRules } from "../generated/spec.ts";
import { fromBytes } from "./manifest.ts";
import {
  type FileAccess,
  type Permissions,
  type SandboxDevice,
  permissionSwitches as switches,
} from "./permissions.ts";

/** What is wrong with a rule: the code of the failure, the rule, and words for it. */
export interface PermissionProblem {
  code: "E_SANDBOX_CONFLICT" | "E_SANDBOX_RULE";
  rule: string;
  what: string;
}

/** Bytes of a path: what links of a machine add must leave it one. */
const PATH_LIMIT = 2048;

/** Bytes of a name on D-Bus. */
const BUS_NAME_LIMIT = 255;

/** Rules of a kind, as many as a runtime has room for: RULES_PATHS, RULES_PORTS and RULES_NAMES of rules.h. */
const MOST = { paths: 64, ports: 32, names: 16 };

const devices = ["gpu", "audio", "input"] as const satisfies readonly SandboxDevice[];
const places: readonly string[] = permissionPlaces.map(({ name }) => name);

/** First words of a rule, longest first: "net connect" goes before "net". */
const known = permissionRules.map(({ name }) => name);

/** What rules are collected in; the same as `Permissions`, to be written to. */
interface Collected {
  fs: Map<string, FileAccess>;
  /** Places of `fs` that stand there in both ways. */
  both: Set<string>;
  net: Set<"none" | "all">;
  connect: Set<number>;
  listen: Set<number>;
  udp: boolean;
  devices: Set<"none" | SandboxDevice>;
  session: Set<"x11" | "wayland">;
  dbus: Set<string>;
  exec: Set<"own" | "host">;
  switches: Set<string>;
}

/**
 * Takes rules together.
 *
 * @param rules each as a record has it: `fs /srv/data ro`, `net connect 443`; the same one may stand twice
 * @param typed by a person: then one that another makes vain is wrong too
 * @returns the first that is wrong, or what they allow
 */
export function parsePermissions(
  rules: readonly string[],
  typed = false,
): Permissions | PermissionProblem {
  const collected: Collected = {
    fs: new Map(),
    both: new Set(),
    net: new Set(),
    connect: new Set(),
    listen: new Set(),
    udp: false,
    devices: new Set(),
    session: new Set(),
    dbus: new Set(),
    exec: new Set(),
    switches: new Set(),
  };
  for (const rule of rules) {
    const what = collect(collected, rule);
    if (what !== undefined) return { rule, ...what };
  }
  const problem =
    tooMany(collected) ?? conflict(collected) ?? (typed ? vainRule(collected) : undefined);
  return problem ?? permissionsOf(collected);
}

/** What the records of a bundle allow, as texts. @param rules byte strings that a decoder has seen */
export function permissionsOfRecords(rules: readonly string[]): Permissions {
  const permissions = parsePermissions(rules.map(fromBytes));
  return isPermissionProblem(permissions) ? {} : permissions;
}

export function isPermissionProblem(
  value: Permissions | PermissionProblem,
): value is PermissionProblem {
  return "code" in value;
}

type Refusal = Pick<PermissionProblem, "code" | "what">;

const invalid = (what: string): Refusal => ({ code: "E_SANDBOX_RULE", what });

/** Adds one rule, or says what is wrong with it. */
function collect(into: Collected, rule: string): Refusal | undefined {
  const [kind = "", ...rest] = rule.split(" ");
  const value = rest.join(" ");
  switch (kind) {
    case "fs":
      return collectFiles(into, value);
    case "net":
      return collectNetwork(into, rest);
    case "devices":
      if (value !== "none" && !devices.some((one) => one === value)) {
        return invalid(`expected devices none, ${devices.join(", ")}`);
      }
      into.devices.add(value as SandboxDevice);
      return undefined;
    case "ipc":
      return collectSession(into, rest);
    case "exec":
      if (value !== "own" && value !== "host") return invalid("expected exec own or exec host");
      into.exec.add(value);
      return undefined;
    default:
      if (rest.length > 0 || !switches.some((one) => one === kind)) {
        return invalid(`there is no such permission; they are fs, ${known.join(", ")}`);
      }
      into.switches.add(kind);
      return undefined;
  }
}

function collectFiles({ fs, both }: Collected, value: string): Refusal | undefined {
  const [, place = "", access] = /^(.*) (ro|rw)$/s.exec(value) ?? [];
  if (access === undefined) return invalid("expected ro or rw at its end");
  const problem = placeProblem(place);
  if (problem !== undefined) return invalid(problem);
  const other = fs.get(place);
  if (other !== undefined && other !== access) both.add(place);
  // Permissions add up.
  fs.set(place, other === "rw" ? other : (access as FileAccess));
  return undefined;
}

/** What is wrong with a place of `fs`; undefined for one that is in order. */
function placeProblem(place: string): string | undefined {
  if (places.includes(place)) return undefined;
  if (!place.startsWith("/")) return `expected an absolute path, or ${places.join(", ")}`;
  if (place.length >= PATH_LIMIT) {
    return `the path is too long: expected less than ${PATH_LIMIT} bytes`;
  }
  if (/[\x00-\x1f\x7f]/.test(place)) return "expected a path without control characters";
  const parts = place === "/" ? [] : place.slice(1).split("/");
  const isNormal = parts.every((part) => part !== "" && part !== "." && part !== "..");
  return isNormal
    ? undefined
    : "expected a path without ., .. and empty components, and no slash at its end";
}

function collectNetwork(
  into: Collected,
  [what = "", digits, ...rest]: readonly string[],
): Refusal | undefined {
  if ((what === "none" || what === "all") && digits === undefined) {
    into.net.add(what);
    return undefined;
  }
  if (what === "udp" && digits === undefined) {
    into.udp = true;
    return undefined;
  }
  const isConnect = what === "connect";
  if (!isConnect && what !== "listen") {
    return invalid("expected net none, all, connect PORT, listen PORT or udp");
  }
  const port = /^(0|[1-9]\d{0,4})$/.test(digits ?? "") ? Number(digits) : Number.NaN;
  const least = isConnect ? 1 : 0;
  if (rest.length > 0 || !(port >= least && port <= 65535)) {
    return invalid(`expected a port from ${least} to 65535`);
  }
  into[isConnect ? "connect" : "listen"].add(port);
  return undefined;
}

/** A name as the bus specification has it; a service's own, so neither unique nor of one part. */
const BUS_NAME = /^[A-Za-z_-][\w-]*(\.[A-Za-z_-][\w-]*)+(\.\*)?$/;

function collectSession(
  into: Collected,
  [what = "", name, ...rest]: readonly string[],
): Refusal | undefined {
  if ((what === "x11" || what === "wayland") && name === undefined) {
    into.session.add(what);
    return undefined;
  }
  if (what !== "dbus") return invalid("expected ipc x11, ipc wayland or ipc dbus NAME");
  if (name === undefined || rest.length > 0 || name.length > BUS_NAME_LIMIT || !BUS_NAME.test(name))
    return invalid("expected the name of a service, as org.freedesktop.Notifications");
  into.dbus.add(name);
  return undefined;
}

const isBelow = (path: string, folder: string) =>
  path !== folder && path.startsWith(folder === "/" ? "/" : `${folder}/`);

/** Says that a folder is only read and lets it be written: no reader minds, but nobody can have meant it. */
function vainRule({ fs, both }: Collected): PermissionProblem | undefined {
  const refuse = (place: string, folder: string): PermissionProblem => ({
    code: "E_SANDBOX_CONFLICT",
    rule: `fs ${place} ro`,
    what: `contradicts "fs ${folder} rw", which allows more`,
  });
  const [twice] = both;
  if (twice !== undefined) return refuse(twice, twice);
  for (const [folder, access] of fs) {
    if (access !== "rw") continue;
    const inside = [...fs].find(([path, own]) => own === "ro" && isBelow(path, folder));
    if (inside) return refuse(inside[0], folder);
  }
  return undefined;
}

function tooMany({ fs, connect, listen, dbus }: Collected): PermissionProblem | undefined {
  const kinds: [string, number, number][] = [
    ["fs", fs.size, MOST.paths],
    ["net connect", connect.size, MOST.ports],
    ["net listen", listen.size, MOST.ports],
    ["ipc dbus", dbus.size, MOST.names],
  ];
  const found = kinds.find(([, count, most]) => count > most);
  if (found === undefined) return undefined;
  const [rule, count, most] = found;
  return { code: "E_SANDBOX_RULE", rule, what: `expected at most ${most}, found ${count}` };
}

/** Two of them that contradict each other. */
function conflict(collected: Collected): PermissionProblem | undefined {
  const { net, connect, listen } = collected;
  const refuse = (rule: string, other: string, why: string): PermissionProblem => ({
    code: "E_SANDBOX_CONFLICT",
    rule,
    what: `contradicts "${other}": ${why}`,
  });
  const [port] = [
    ...[...connect].map((one) => `net connect ${one}`),
    ...[...listen].map((one) => `net listen ${one}`),
  ];
  const [what, another] = [...net];
  const some = port ?? (collected.udp ? "net udp" : undefined);
  const other = another === undefined ? some : `net ${another}`;
  if (what !== undefined && other !== undefined) {
    return refuse(`net ${what}`, other, `${what} is what it says`);
  }
  if (collected.udp && port === undefined) {
    const expected = "without a port: expected net connect PORT or net listen PORT beside it";
    return { code: "E_SANDBOX_CONFLICT", rule: "net udp", what: expected };
  }
  const device = [...collected.devices].find((one) => one !== "none");
  if (collected.devices.has("none") && device !== undefined) {
    return refuse("devices none", `devices ${device}`, "none is what it says");
  }
  if (collected.exec.size > 1) return refuse("exec own", "exec host", "host allows more");
  return undefined;
}

function permissionsOf(from: Collected): Permissions {
  const paths = [...from.fs.keys()].filter((place) => place.startsWith("/")).sort();
  const order = [...places.filter((word) => from.fs.has(word)), ...paths];
  const ports = (set: ReadonlySet<number>) => [...set].sort((a, b) => a - b);
  const [net] = from.net;
  const hasPorts = from.connect.size + from.listen.size > 0;
  const session = {
    ...(from.session.has("x11") && { x11: true }),
    ...(from.session.has("wayland") && { wayland: true }),
    ...(from.dbus.size > 0 && { dbus: [...from.dbus].sort() }),
  };
  const [exec] = from.exec;
  return {
    ...(order.length > 0 && {
      fs: Object.fromEntries(order.map((place) => [place, from.fs.get(place) ?? "ro"])),
    }),
    net: hasPorts
      ? {
          ...(from.connect.size > 0 && { connect: ports(from.connect) }),
          ...(from.listen.size > 0 && { listen: ports(from.listen) }),
          ...(from.udp && { udp: true }),
        }
      : (net ?? "none"),
    devices: devices.filter((one) => from.devices.has(one)),
    ...(Object.keys(session).length > 0 && { ipc: session }),
    ...(exec !== undefined && { exec }),
    ...Object.fromEntries(
      switches.filter((one) => from.switches.has(one)).map((one) => [one, true]),
    ),
  };
}
