/**
 * What the machine and the user say of registries in `registries.conf` (containers-registries.conf(5), version
 * 2): which are asked in the place of another one, without encryption, or not at all.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "smol-toml";
import { errnoCode, systemReason } from "../../errors.ts";
import { configDirectory } from "../../host/paths.ts";
import { parseRegistryName, type RegistryReference, shownName } from "../reference.ts";
import { Endpoint, endpointsFor, type Mirror } from "./endpoint.ts";
import * as errors from "./registry-errors.ts";

/** A host, with the start of a path or without, that has what a prefix stands for. */
interface Location {
  /** "": the name as it is. */
  location: string;
  insecure: boolean;
}

/** Which names a mirror is asked for. */
const PULLS = ["all", "digest-only", "tag-only"] as const;

interface RegistryMirror extends Location {
  pulls: (typeof PULLS)[number];
}

/** What is said of all names that begin with a prefix. */
interface Rule extends Location {
  prefix: string;
  blocked: boolean;
  mirrors: RegistryMirror[];
  /** The file that says it. */
  file: string;
}

/**
 * Files in the order in which they are read: the user's takes the place of the system's, and those of the
 * folders beside them add to it.
 */
function files(environment: NodeJS.ProcessEnv): string[] {
  const config = configDirectory(environment);
  const [system, user] = ["/etc/containers", path.join(config, "containers")];
  const named = environment["CONTAINERS_REGISTRIES_CONF"];
  const whole = [path.join(user, "registries.conf"), path.join(system, "registries.conf")];
  const [one] = named ? [named] : whole.filter((file) => textOf(file) !== undefined);
  const added = [system, user].flatMap((dir) => addedIn(path.join(dir, "registries.conf.d")));
  return [...(one === undefined ? [] : [one]), ...added];
}

function addedIn(dir: string): string[] {
  try {
    const names = readdirSync(dir).filter((name) => name.endsWith(".conf"));
    return names.sort().map((name) => path.join(dir, name));
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(errnoCode(cause) ?? "")) return [];
    throw errors.badConfig(dir, `it cannot be read: ${systemReason(cause)}`, cause);
  }
}

/** @returns undefined where there is none */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(errnoCode(cause) ?? "")) return undefined;
    throw errors.badConfig(file, `it cannot be read: ${systemReason(cause)}`, cause);
  }
}

/** By prefix; what is read later takes the place of what an earlier file says of the same one. */
function rules(environment: NodeJS.ProcessEnv): Map<string, Rule> {
  const all = new Map<string, Rule>();
  for (const file of files(environment)) {
    const text = textOf(file);
    if (text === undefined) throw errors.badConfig(file, "it is not there");
    for (const rule of rulesIn(text, file)) all.set(rule.prefix, rule);
  }
  return all;
}

/** @throws E_REGISTRY_CONFIG */
export function rulesIn(text: string, file: string): Rule[] {
  const table = new Table(parsed(text, file), file);
  if (table.has("registries")) {
    throw errors.badConfig(file, "it is of version 1 ([registries.search]), which is not read");
  }
  return table.tables("registry").map((one) => {
    const location = one.text("location");
    const prefix = one.text("prefix") || location;
    const rest = prefix.replace(/^\*\./, "");
    if (rest === "" || /[\s*]/.test(rest)) {
      const what = "a [[registry]] has no prefix or location that names can have";
      throw errors.badConfig(file, what, undefined, {
        actual: JSON.stringify(prefix.slice(0, 200)),
      });
    }
    const isByDigest = one.flag("mirror-by-digest-only");
    const mirrors = one.tables("mirror").map((mirror) => ({
      location: mirror.location(),
      insecure: mirror.flag("insecure"),
      pulls: isByDigest ? ("digest-only" as const) : mirror.choice("pull-from-mirror", PULLS),
    }));
    const [insecure, blocked] = [one.flag("insecure"), one.flag("blocked")];
    return { prefix, location, insecure, blocked, mirrors, file };
  });
}

function parsed(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    const [line = ""] = cause instanceof Error ? cause.message.split("\n") : [];
    throw errors.badConfig(file, `it is no TOML: ${line}`, cause);
  }
}

/** A table of the file, whose members are of the kinds that they should be. */
class Table {
  readonly #members: Record<string, unknown>;
  readonly #file: string;

  constructor(members: unknown, file: string) {
    this.#members = members as Record<string, unknown>;
    this.#file = file;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#members, key);
  }

  text(key: string): string {
    return this.#need(key, "a text", "", (value) => typeof value === "string");
  }

  flag(key: string): boolean {
    return this.#need(key, "true or false", false, (value) => typeof value === "boolean");
  }

  choice<T extends string>(key: string, choices: readonly [T, ...T[]]): T {
    const text = this.text(key) || choices[0];
    const found = choices.find((one) => one === text);
    if (found === undefined) throw this.#wrong(key, choices.join(", "), text);
    return found;
  }

  location(): string {
    const text = this.text("location");
    if (text === "") throw this.#wrong("location", "a host, with a path or without", text);
    return text;
  }

  tables(key: string): Table[] {
    const isTable = (value: unknown) =>
      typeof value === "object" && value !== null && !Array.isArray(value);
    const list = this.#need<unknown[]>(
      key,
      `tables, [[${key}]]`,
      [],
      (value) => Array.isArray(value) && value.every(isTable),
    );
    return list.map((one) => new Table(one, this.#file));
  }

  #need<T>(key: string, expected: string, missing: T, fits: (value: unknown) => boolean): T {
    if (!this.has(key)) return missing;
    const value = this.#members[key];
    if (!fits(value)) throw this.#wrong(key, expected, value);
    return value as T;
  }

  #wrong(key: string, expected: string, actual: unknown): Error {
    const shown = (JSON.stringify(actual, bigints) ?? "nothing").slice(0, 200);
    return errors.badConfig(this.#file, `${key} is not what it can be`, undefined, {
      expected,
      actual: shown,
    });
  }
}

const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? `${value}` : value);

/** Bytes of a name that a prefix stands for; undefined: none. A host with another port is another host. */
function matched(prefix: string, name: string): number | undefined {
  if (prefix.startsWith("*.")) {
    const host = name.slice(0, name.indexOf("/"));
    return host.endsWith(prefix.slice(1)) ? host.length : undefined;
  }
  const ends = [undefined, "/", ...(prefix.includes("/") ? [":", "@"] : [])];
  return name.startsWith(prefix) && ends.includes(name[prefix.length]) ? prefix.length : undefined;
}

/** The longest prefix decides. */
function ruleFor(name: string, environment: NodeJS.ProcessEnv) {
  let found: { rule: Rule; length: number } | undefined;
  for (const rule of rules(environment).values()) {
    const length = matched(rule.prefix, name);
    if (length === undefined) continue;
    if (found === undefined || rule.prefix.length > found.rule.prefix.length) {
      found = { rule, length };
    }
  }
  return found;
}

/**
 * Who is asked for an image, in order: mirrors of the options, those of the files, then the registry or what
 * the files put in its place.
 *
 * @throws E_REGISTRY_BLOCKED, E_REGISTRY_CONFIG
 */
export function configuredEndpoints(
  reference: RegistryReference,
  mirrors: readonly Mirror[],
  insecure: boolean,
  environment: NodeJS.ProcessEnv = process.env,
): Endpoint[] {
  const name = shownName(reference);
  const found = ruleFor(name, environment);
  const own = endpointsFor(reference, mirrors, insecure);
  if (found === undefined) return own;
  const { rule, length } = found;
  if (rule.blocked) throw errors.blocked(name, rule.prefix, rule.file);
  const at = (one: Location, isMirror: boolean) => {
    const place = parseRegistryName(one.location === "" ? name : one.location + name.slice(length));
    const isExact = place?.tag === reference.tag && place?.digest === reference.digest;
    // A first part with no dot or colon in it is no host, but a part of a path at Docker's.
    const [host = ""] = one.location.split("/");
    const isHost = one.location === "" || host === "index.docker.io" || host === place?.host;
    if (place === undefined || !isExact || !isHost) {
      throw errors.badConfig(rule.file, `${name} has no name at ${JSON.stringify(one.location)}`);
    }
    return new Endpoint(place.host, place.repository, {
      isMirror,
      insecure: insecure || one.insecure,
    });
  };
  const kind = reference.digest === undefined ? "tag-only" : "digest-only";
  const asked = rule.mirrors.filter(({ pulls }) => pulls === "all" || pulls === kind);
  return [...own.slice(0, -1), ...asked.map((mirror) => at(mirror, true)), at(rule, false)];
}

/**
 * The registry itself, for what is pushed.
 *
 * @throws E_REGISTRY_BLOCKED, E_REGISTRY_CONFIG
 */
export function ownEndpoint(
  reference: RegistryReference,
  insecure: boolean,
  environment: NodeJS.ProcessEnv = process.env,
): Endpoint {
  const name = shownName(reference);
  const rule = ruleFor(name, environment)?.rule;
  if (rule?.blocked) throw errors.blocked(name, rule.prefix, rule.file);
  const { host, repository } = reference;
  return new Endpoint(host, repository, {
    isMirror: false,
    insecure: insecure || rule?.insecure === true,
  });
}
