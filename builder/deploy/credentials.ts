/**
 * The token for an orchestrator: FUSE_TOKEN, or the file that Fuse's own program keeps (`fuse connect`),
 * `contexts` of `name`, `base_url` and `token` in YAML.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { errnoCode, systemReason } from "../errors.ts";
import { environment } from "../generated/spec.ts";
import { configDirectory } from "../host/paths.ts";
import * as errors from "./deploy-errors.ts";

export interface Token {
  text: string;
  /** For messages. */
  from: string;
}

/** What stands in a header as it is. */
const HEADER_TEXT = /^[\x21-\x7e]+$/;
/** Bytes of a file of credentials. */
const MAX_FILE = 1 << 20;

/** Where it is kept. */
export function credentialsFile(env: NodeJS.ProcessEnv = process.env): string {
  return path.join(configDirectory(env), "fuse/config.yaml");
}

/**
 * @param url as `engineAddress` gives it
 * @returns undefined where there is none: an orchestrator may want none
 * @throws E_DEPLOY_CREDENTIALS
 */
export async function findToken(
  url: URL,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Token | undefined> {
  const own = env[environment.FUSE_TOKEN];
  if (own) return checked({ text: own.trim(), from: environment.FUSE_TOKEN });
  const file = credentialsFile(env);
  const content = await readPrivate(file);
  if (content === undefined) return undefined;
  const found = contextsOf(content, file).find(({ base_url }) => isSame(base_url, url));
  return found?.token ? checked({ text: found.token, from: file }) : undefined;
}

function checked(token: Token): Token {
  if (HEADER_TEXT.test(token.text)) return token;
  throw errors.credentials("its token has characters that no token has", { path: token.from });
}

/** Two ways to write one place. */
function isSame(text: string, url: URL): boolean {
  if (!URL.canParse(text)) return false;
  const other = new URL(text);
  return other.origin === url.origin && trimmed(other) === trimmed(url);
}

const trimmed = ({ pathname }: URL): string => pathname.replace(/\/+$/, "");

/** Opened before it is looked at, so that it is the same file. */
async function readPrivate(file: string): Promise<string | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause) => {
    if (["ENOENT", "ENOTDIR"].includes(errnoCode(cause) ?? "")) return undefined;
    throw errors.credentials(`it cannot be read: ${systemReason(cause)}`, { path: file, cause });
  });
  if (handle === undefined) return undefined;
  try {
    const stats = await handle.stat();
    if (!stats.isFile() || stats.size > MAX_FILE) {
      throw errors.credentials("it is no file of credentials", {
        path: file,
        expected: `a file of at most ${MAX_FILE} bytes`,
      });
    }
    if ((stats.mode & 0o077) !== 0) {
      throw errors.credentials("others than its owner may read or change it", {
        path: file,
        expected: "mode 600",
        actual: (stats.mode & 0o7777).toString(8),
        hint: `chmod 600 ${file}; a token that others could read is to be replaced.`,
      });
    }
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

interface Context {
  base_url: string;
  token: string | undefined;
}

/** @throws E_DEPLOY_CREDENTIALS; what the parser says quotes the text, and that is secret */
function contextsOf(text: string, file: string): Context[] {
  let content: unknown;
  try {
    content = parse(text, { logLevel: "silent" });
  } catch {
    throw errors.credentials("it is no YAML", { path: file });
  }
  if (content === null) return [];
  const contexts = isObject(content) ? (content["contexts"] ?? []) : undefined;
  if (!Array.isArray(contexts) || !contexts.every(isObject)) {
    throw errors.credentials("it has no list of contexts", { path: file });
  }
  return contexts.map(({ base_url: base, token }) => {
    if (typeof base === "string" && (token === undefined || typeof token === "string")) {
      return { base_url: base, token };
    }
    throw errors.credentials("a context has no base_url, or a token that is no text", {
      path: file,
    });
  });
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
