/** Packages of an npm registry, as npm is configured to reach it. */
import { createHash } from "node:crypto";
import { createWriteStream, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Response } from "undici";
import { isLoopback } from "../../oci/registry/hosts.ts";
import * as errors from "./node-errors.ts";

export interface Registry {
  /** With a slash at its end. */
  url: string;
  /** Value of the header Authorization. */
  authorization: string | undefined;
  /** Of npm's configuration, which goes before HTTPS_PROXY, HTTP_PROXY and NO_PROXY. */
  proxy?: { all: string | undefined; none: string | undefined };
}

/** What a registry says of one version. */
export interface Published {
  tarball: string;
  /** Subresource integrity, for example "sha512-...". */
  integrity: string;
}

const DEFAULT = "https://registry.npmjs.org/";
/** Without a word from the other side, ms. */
const PATIENCE = 30_000;

/**
 * The registry of npm's configuration, and the proxy to it: npm_config_registry, then .npmrc of the user
 * and of the system. That of a project is not read: what is packed comes from anyone, and it is not for a
 * project to say who makes the interpreter that builds and runs it, nor where the user's variables
 * are sent.
 */
export function configuredRegistry(environment: NodeJS.ProcessEnv = process.env): Registry {
  const home = environment["HOME"] ?? os.homedir();
  const files = [
    environment["npm_config_userconfig"] ?? path.join(home, ".npmrc"),
    environment["npm_config_globalconfig"] ?? "/etc/npmrc",
  ];
  const settings = new Map<string, string>();
  for (const file of files.toReversed()) {
    for (const [key, value] of npmrc(file, environment)) settings.set(key, value);
  }
  const setting = (key: string) => {
    const variable = `npm_config_${key.replace("-", "_")}`;
    const given = environment[variable] ?? environment[variable.toUpperCase()];
    return given ?? settings.get(key);
  };
  const url = `${(setting("registry") || DEFAULT).replace(/\/+$/, "")}/`;
  // npm too takes the one for HTTPS for every registry.
  const all = ["https-proxy", "proxy"].map(setting).find((one) => one && one !== "null");
  const proxy = { all, none: setting("noproxy") };
  return { url, authorization: authorizationFor(url, settings), proxy };
}

function npmrc(file: string, environment: NodeJS.ProcessEnv): [string, string][] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return []; // npm too goes on without a configuration that it may not read.
  }
  return text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const [, key, value] = /^\s*([^;#=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || value === undefined) return [];
    const expanded = value.replace(/\$\{([^}]+)\}/g, (all, name) => environment[name] ?? all);
    return [[key, expanded.replace(/^"(.*)"$/, "$1")]];
  });
}

/** npm keeps them by the address without its protocol: `//host/path/:_authToken`. */
function authorizationFor(url: string, settings: Map<string, string>): string | undefined {
  const place = url.replace(/^https?:/, "");
  const token = settings.get(`${place}:_authToken`);
  if (token !== undefined) return `Bearer ${token}`;
  const basic = settings.get(`${place}:_auth`);
  return basic === undefined ? undefined : `Basic ${basic}`;
}

async function get(
  registry: Registry,
  url: string,
  accept: string,
  signal: AbortSignal = AbortSignal.timeout(PATIENCE),
): Promise<Response> {
  // A token is for its own registry only, wherever that keeps its files: not for its neighbours on
  // one host, and not for the same host without encryption.
  const own = new URL(url).href.startsWith(new URL(registry.url).href);
  const headers = {
    accept,
    ...(own && registry.authorization && { authorization: registry.authorization }),
  };
  const { Agent, EnvHttpProxyAgent, fetch } = await import("undici");
  const { all, none } = registry.proxy ?? {};
  const dispatcher = isLoopback(new URL(url).host)
    ? new Agent()
    : new EnvHttpProxyAgent({
        ...(all && { httpProxy: all, httpsProxy: all }),
        ...(none && { noProxy: none }),
      });
  const response = await fetch(url, { headers, signal, dispatcher });
  if (!response.ok) throw new Error(`${url} answers ${response.status} ${response.statusText}`);
  return response;
}

/** All versions of a package. Throws what `fetch` throws. */
export async function publishedVersions(
  registry: Registry,
  name: string,
): Promise<Map<string, Published>> {
  const accept = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";
  const response = await get(registry, `${registry.url}${name.replace("/", "%2f")}`, accept);
  const { versions = {} } = (await response.json()) as {
    versions?: Record<string, { dist?: Partial<Published> }>;
  };
  const found = new Map<string, Published>();
  for (const [version, { dist }] of Object.entries(versions)) {
    if (dist?.tarball === undefined || dist.integrity === undefined) continue;
    found.set(version, { tarball: dist.tarball, integrity: dist.integrity });
  }
  return found;
}

export interface DownloadOptions {
  /** Is told how far a download is, now and then. `total` is unknown where the registry does not say. */
  onProgress?: (bytes: number, total: number | undefined) => void;
  /** Time from one `onProgress` to the next, ms. */
  every?: number;
  /** How long the other side may say nothing, ms. */
  patience?: number;
}

/** Aborts when nothing has happened for a time: however long a download takes, it goes on. */
function watchdog(patience: number): { signal: AbortSignal; alive: () => void; end: () => void } {
  const controller = new AbortController();
  const timeout = () => new DOMException("it does not answer", "TimeoutError");
  const timer = setTimeout(() => controller.abort(timeout()), patience);
  return {
    signal: controller.signal,
    alive: () => void timer.refresh(),
    end: () => clearTimeout(timer),
  };
}

/**
 * Downloads a tarball into `file` and checks it while it arrives; a file that is not the published
 * one is removed.
 *
 * @throws E_NODE_INTEGRITY, and what `fetch` and the file system throw
 */
export async function download(
  registry: Registry,
  { tarball, integrity }: Published,
  file: string,
  { onProgress, every = 5000, patience = PATIENCE }: DownloadOptions = {},
): Promise<void> {
  const [algorithm = "", wanted = ""] = strongest(integrity);
  const hash = createHash(algorithm);
  const watch = watchdog(patience);
  try {
    const { body, headers } = await get(registry, tarball, "*/*", watch.signal);
    if (body === null) throw new Error(`${tarball} answers without content`);
    const total = Number(headers.get("content-length")) || undefined;
    let told = performance.now();
    let bytes = 0;
    const hashing = new Transform({
      transform(chunk: Buffer, _, done) {
        watch.alive();
        hash.update(chunk);
        bytes += chunk.length;
        if (performance.now() - told >= every) {
          told = performance.now();
          onProgress?.(bytes, total);
        }
        done(null, chunk);
      },
    });
    await pipeline(Readable.fromWeb(body), hashing, createWriteStream(file, { mode: 0o600 }));
    const digest = hash.digest("base64");
    if (digest !== wanted) {
      throw errors.integrity(tarball, `${algorithm}-${wanted}`, `${algorithm}-${digest}`);
    }
  } catch (cause) {
    rmSync(file, { force: true });
    throw cause;
  } finally {
    watch.end();
  }
}

function strongest(integrity: string): [string, string] {
  const known = ["sha512", "sha384", "sha256"];
  const parts = integrity.split(/\s+/).map((part) => part.split(/-(.*)/s));
  for (const algorithm of known) {
    const found = parts.find(([name]) => name === algorithm);
    if (found?.[1] !== undefined) return [algorithm, found[1].split("?")[0] ?? ""];
  }
  throw new Error(`the integrity "${integrity}" has none of ${known.join(", ")}`);
}
