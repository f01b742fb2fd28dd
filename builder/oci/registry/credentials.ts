/**
 * Who the user is at a registry, as Docker's and Podman's programs keep it: files with `auths`,
 * `credHelpers` and `credsStore` (containers-auth.json(5)), and programs `docker-credential-NAME`.
 */
import { readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { errnoCode, systemReason } from "../../errors.ts";
import { runCommand } from "../../host/command.ts";
import { baseDirectory, configDirectory } from "../../host/paths.ts";
import { credentialNames } from "./hosts.ts";
import * as errors from "./registry-errors.ts";

/** What was found for one registry. */
export type Credentials =
  | { kind: "password"; user: string; password: string; from: string }
  /** Is exchanged for tokens. */
  | { kind: "identity"; token: string; from: string }
  /** Is sent as it is. */
  | { kind: "bearer"; token: string; from: string };

interface AuthFile {
  auths?: Record<string, AuthEntry>;
  credHelpers?: Record<string, string>;
  credsStore?: string;
}

interface AuthEntry {
  auth?: string;
  username?: string;
  password?: string;
  identitytoken?: string;
  registrytoken?: string;
}

/** How long a program may ask a keyring, and its user, ms. */
const PATIENCE = 60_000;
/** What a program means that has nothing for a registry. */
const NOT_FOUND = /credentials not found/i;
/** As user's name: what is called a secret is an identity token. */
const TOKEN_USER = "<token>";

/**
 * Files that may hold credentials, the first that knows a registry decides. $REGISTRY_AUTH_FILE stands
 * alone; else those of Podman go before Docker's.
 */
export function authFiles(environment: NodeJS.ProcessEnv = process.env): string[] {
  const { REGISTRY_AUTH_FILE: only } = environment;
  if (only) return [only];
  const home = environment["HOME"] || os.homedir();
  const runtime = baseDirectory("XDG_RUNTIME_DIR", environment);
  return [
    ...(runtime ? [path.join(runtime, "containers/auth.json")] : []),
    path.join(configDirectory(environment), "containers/auth.json"),
    path.join(environment["DOCKER_CONFIG"] || path.join(home, ".docker"), "config.json"),
  ];
}

/**
 * What is known of a user at a registry; undefined: nothing.
 *
 * @param host as a reference has it
 * @param repository entries for a part of a registry go before those for all of it
 * @throws E_REGISTRY_CREDENTIALS
 */
export async function findCredentials(
  host: string,
  repository: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Credentials | undefined> {
  for (const file of authFiles(environment)) {
    const content = await readAuthFile(file);
    const found = content && (await fromFile(content, file, host, repository, environment));
    if (found) return found;
  }
  return undefined;
}

/** @throws E_REGISTRY_CREDENTIALS */
async function readAuthFile(file: string): Promise<AuthFile | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(errnoCode(cause) ?? "")) return undefined;
    throw errors.credentials(`it cannot be read: ${systemReason(cause)}`, { path: file, cause });
  }
  if (text.trim() === "") return undefined;
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    // What JSON.parse says quotes the text, and that is secret.
    throw errors.credentials("it is no JSON", { path: file });
  }
  const problem = shapeProblem(content);
  if (problem !== undefined) throw errors.credentials(problem, { path: file });
  return content as AuthFile;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function shapeProblem(content: unknown): string | undefined {
  if (!isObject(content)) return "it is no JSON object";
  const { auths = {}, credHelpers = {}, credsStore = "" } = content;
  if (!isObject(auths) || !Object.values(auths).every(isObject)) {
    return "auths is no object of objects";
  }
  for (const [host, entry] of Object.entries(auths as Record<string, Record<string, unknown>>)) {
    for (const key of ["auth", "username", "password", "identitytoken", "registrytoken"]) {
      if (entry[key] !== undefined && typeof entry[key] !== "string") {
        return `auths["${host}"].${key} is no text`;
      }
    }
  }
  const names = isObject(credHelpers) ? Object.values(credHelpers) : [undefined];
  if (!names.every((name) => typeof name === "string")) return "credHelpers is no object of texts";
  return typeof credsStore === "string" ? undefined : "credsStore is no text";
}

async function fromFile(
  { auths = {}, credHelpers = {}, credsStore = "" }: AuthFile,
  file: string,
  host: string,
  repository: string,
  environment: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  const [usual = host, ...others] = credentialNames(host);
  const names = [...prefixes(host, repository), usual, ...others];
  for (const name of names) {
    const helper = Object.hasOwn(credHelpers, name) ? credHelpers[name] : undefined;
    if (helper) return (await ask(helper, host === name ? usual : name, environment)) ?? undefined;
  }
  const stored = credsStore === "" ? undefined : await ask(credsStore, usual, environment);
  if (stored !== undefined) return stored;
  const byName = new Map(Object.entries(auths).map(([key, entry]) => [plainName(key), entry]));
  for (const name of names) {
    const entry = auths[name] ?? byName.get(name);
    const found = entry && fromEntry(entry, file, name);
    if (found) return found;
  }
  return undefined;
}

/** "host/a/b", "host/a", "host" */
function prefixes(host: string, repository: string): string[] {
  const parts = repository.split("/");
  return parts.map((_, i) => [host, ...parts.slice(0, parts.length - i)].join("/")).concat(host);
}

/** Docker wrote addresses for a while: `https://host/v1/`. */
const plainName = (key: string): string =>
  key.replace(/^https?:\/\//, "").replace(/\/(?:v[12]\/?)?$/, "");

/** @throws E_REGISTRY_CREDENTIALS */
function fromEntry(entry: AuthEntry, file: string, name: string): Credentials | undefined {
  const from = `${file}, ${name}`;
  if (entry.registrytoken) return { kind: "bearer", token: entry.registrytoken, from };
  if (entry.identitytoken) return { kind: "identity", token: entry.identitytoken, from };
  if (entry.auth) {
    const text = Buffer.from(entry.auth, "base64").toString("utf8");
    const [, user, password] = /^([^:]*):(.*?)\0*$/s.exec(text) ?? [];
    if (user === undefined || password === undefined) {
      const what = `auths["${name}"].auth is not base64 of USER:PASSWORD`;
      throw errors.credentials(what, { path: file });
    }
    return { kind: "password", user, password, from };
  }
  const { username: user, password } = entry;
  return user && password !== undefined ? { kind: "password", user, password, from } : undefined;
}

/**
 * Asks a program, by its protocol: the registry's name on standard input, JSON on standard output.
 *
 * @throws E_REGISTRY_CREDENTIALS
 */
async function ask(
  name: string,
  server: string,
  environment: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[\w.-]+$/.test(name)) throw errors.credentials(`"${name}" names no credential helper`);
  const result = await runCommand(program, ["get"], {
    input: server,
    env: environment,
    timeout: PATIENCE,
  }).catch((cause: unknown) => {
    throw errors.credentials(`it cannot be started: ${systemReason(cause)}`, {
      path: program,
      cause,
    });
  });
  if (result.status !== 0) {
    if (NOT_FOUND.test(result.stdout) || NOT_FOUND.test(result.stderr)) return undefined;
    const how = result.status === null ? `signal ${result.signal}` : `status ${result.status}`;
    const said = result.stderr.trim().split("\n")[0] ?? "";
    throw errors.credentials(`it ends with ${how}${said === "" ? "" : `: ${said}`}`, {
      path: `${program} get`,
    });
  }
  return fromProgram(result.stdout, `${program} get`);
}

/** @throws E_REGISTRY_CREDENTIALS */
function fromProgram(text: string, program: string): Credentials | undefined {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    // As above: the text is secret.
  }
  const { Username: user = "", Secret: secret } = isObject(said) ? said : {};
  if (typeof user !== "string" || typeof secret !== "string") {
    throw errors.credentials("what it prints is not JSON with Username and Secret", {
      path: program,
    });
  }
  if (secret === "") return undefined;
  return user === TOKEN_USER
    ? { kind: "identity", token: secret, from: program }
    : { kind: "password", user, password: secret, from: program };
}
