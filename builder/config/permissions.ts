/** Permissions as a configuration file, the library and a command line give them. */
import * as errors from "../errors.ts";
import { configKeys } from "../generated/spec.ts";
import { fromBytes } from "../manifest/manifest.ts";
import { isPermissionProblem, parsePermissions } from "../manifest/permission-rules.ts";
import { formatPermissions, type Permissions } from "../manifest/permissions.ts";
import { byteString } from "../tree/path.ts";
import { nearest } from "./nearest-name.ts";
import { shownValue } from "./shown-value.ts";

type Shape = Readonly<Record<string, unknown>>;

const shapes = configKeys.properties.permissions.properties;
const keys = Object.keys(shapes);

/**
 * Checks an object of permissions.
 *
 * @param file the configuration file that holds it
 * @returns their normal form; texts are byte strings
 * @throws E_SANDBOX_RULE, E_SANDBOX_CONFLICT; the message names the key
 */
export function checkedPermissions(value: unknown, file?: string): Permissions {
  const refuse = (at: string, expected: string, actual: unknown) =>
    errors.sandboxValue(at, expected, shownValue(actual), file);
  if (!isShape(value)) throw refuse("permissions", "an object of permissions", value);
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) throw errors.sandboxKey(key, nearest(key, keys), keys, file);
  }
  const rules = rulesOf(value, refuse).map(byteString);
  const permissions = parsePermissions(rules, true);
  if (!isPermissionProblem(permissions)) return permissions;
  const { code, rule, what } = permissions;
  throw errors.sandboxRule(code, fromBytes(rule), fromBytes(what), file);
}

/** The records of a bundle. */
export const permissionRecords = (value: unknown): string[] =>
  formatPermissions(checkedPermissions(value));

const isShape = (value: unknown): value is Shape =>
  typeof value === "object" && value !== null && !Array.isArray(value);

type Refuse = (at: string, expected: string, actual: unknown) => errors.BundleError;

/** One rule for each thing that is said; what a rule may be, its parser says. */
function rulesOf(value: Shape, refuse: Refuse): string[] {
  const { fs, net, devices, ipc, exec, ...switches } = value;
  const list = (
    at: string,
    expected: string,
    items: unknown,
    isItem: (one: unknown) => boolean,
  ) => {
    if (items === undefined) return [];
    if (!Array.isArray(items) || !items.every(isItem)) throw refuse(at, expected, items);
    return items as unknown[];
  };
  const isText = (one: unknown) => typeof one === "string";
  const shape = (at: string, expected: string, given: unknown) => {
    if (given === undefined) return [];
    if (!isShape(given)) throw refuse(at, expected, given);
    return Object.entries(given);
  };
  const rules = shape("permissions.fs", "an object of paths with ro or rw", fs).map(
    ([place, access]) => `fs ${place} ${isText(access) ? access : shownValue(access)}`,
  );
  if (isText(net)) rules.push(`net ${net}`);
  else {
    const expected = "none, all or an object of connect, listen and udp";
    for (const [key, ports] of shape("permissions.net", expected, net)) {
      const at = `permissions.net.${key}`;
      if (key === "udp") {
        if (ports !== undefined && typeof ports !== "boolean") {
          throw refuse(at, "true or false", ports);
        }
        if (ports) rules.push("net udp");
        continue;
      }
      if (key !== "connect" && key !== "listen") throw refuse("permissions.net", expected, net);
      const isPort = (one: unknown) => typeof one === "number";
      rules.push(...list(at, "a list of ports", ports, isPort).map((port) => `net ${key} ${port}`));
    }
  }
  for (const one of list("permissions.devices", "a list of gpu, audio, input", devices, isText)) {
    rules.push(`devices ${one}`);
  }
  rules.push(...sessionRules(shape("permissions.ipc", SESSION, ipc), ipc, refuse, list));
  if (exec !== undefined) {
    if (exec !== "own" && exec !== "host") throw refuse("permissions.exec", "own or host", exec);
    rules.push(`exec ${exec}`);
  }
  for (const [name, on] of Object.entries(switches)) {
    if (on !== undefined && typeof on !== "boolean") {
      throw refuse(`permissions.${name}`, "true or false", on);
    }
    if (on) rules.push(name);
  }
  return rules;
}

const SESSION = "an object of x11, wayland (true or false) and dbus (a list of names)";

function sessionRules(
  entries: readonly [string, unknown][],
  whole: unknown,
  refuse: Refuse,
  list: (
    at: string,
    expected: string,
    items: unknown,
    isItem: (one: unknown) => boolean,
  ) => unknown[],
): string[] {
  return entries.flatMap(([key, value]) => {
    if (key === "dbus") {
      const isName = (one: unknown) => typeof one === "string";
      return list("permissions.ipc.dbus", "a list of names", value, isName).map(
        (name) => `ipc dbus ${name}`,
      );
    }
    if ((key !== "x11" && key !== "wayland") || (value !== undefined && typeof value !== "boolean"))
      throw refuse("permissions.ipc", SESSION, whole);
    return value ? [`ipc ${key}`] : [];
  });
}

/**
 * Permissions as a command line has them: rules with commas between them, words with colons.
 *
 * @param texts such as `fs:/srv/data:ro,net:connect:443`
 * @throws E_SANDBOX_RULE, E_SANDBOX_CONFLICT
 */
export function parsePermissionTexts(texts: readonly string[]): Permissions {
  const typed = texts.flatMap((text) => text.split(",")).filter((rule) => rule !== "");
  const permissions = parsePermissions(typed.map(typedRule), true);
  if (!isPermissionProblem(permissions)) return permissions;
  throw errors.sandboxRule(permissions.code, permissions.rule, permissions.what);
}

/** A path may hold colons: what stands behind the last one says how it is used. */
function typedRule(text: string): string {
  const [, place, access] = /^fs:(.*):([^:]*)$/s.exec(text) ?? [];
  return place === undefined ? text.replaceAll(":", " ") : `fs ${place} ${access}`;
}
