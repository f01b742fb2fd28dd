/**
 * What a program must be to run a bundle, whatever way it came: a package of npm's, the Node of this
 * machine, a file.
 */
import { open } from "node:fs/promises";
import lt from "semver/functions/lt.js";
import satisfies from "semver/functions/satisfies.js";
import valid from "semver/functions/valid.js";
import { type DynamicFacts, readDynamic } from "../../elf/dynamic.ts";
import { hasElfMagic, machineName } from "../../elf/read.ts";
import type { FailureText } from "../../errors.ts";
import { hostLibrary } from "../../libraries/host-libraries.ts";
import * as errors from "./node-errors.ts";
import { runNode } from "./run-node.ts";
import type { Libc, Target } from "./target.ts";

/** What templates/node/start.cjs and the bundles need of a Node. */
const OLDEST = "20.11.0";

/** The newest LTS that npm has for both machines. */
export const DEFAULT_NODE = "24.21.0";

/**
 * Versions of npm's packages that need what many machines do not have. It is said before they are
 * downloaded; others are looked at when they are here.
 */
const KNOWN_NEEDS = [{ versions: "26.0.0 - 26.12.1", libraries: ["libatomic.so.1"] }] as const;

/** Beside the libc, which every machine has, every Node needs these two. */
export const OF_EVERY_NODE = ["libstdc++.so.6", "libgcc_s.so.1"];

/** Paths of Node's own modules start with it: they are in the program as text. */
const MARK = "internal/bootstrap/";

const SCRIPT = Buffer.from("#!");

export interface Candidate {
  /** The whole program, with its symbols. */
  bytes: Buffer;
  /** Where it can be read and started. */
  file: string;
  /** What messages call it. */
  shown: string;
}

/** What an interpreter is for. */
interface Surroundings {
  target: Target;
  /** Whether libraries that machines may lack are packed with it. */
  packsLibraries: boolean;
}

/**
 * Refuses a version before anything is downloaded.
 *
 * @param takesAll whether libraries are packed, or it is no package of npm's: then it may need any
 * @throws E_NODE_INTERPRETER
 */
export function checkVersion(version: string, takesAll = true): void {
  if (lt(version, OLDEST)) {
    const hint = `Node ${OLDEST} is the oldest; the default is ${DEFAULT_NODE}.`;
    throw errors.interpreter(`Node ${version} is too old for a bundle`, { hint });
  }
  const known = KNOWN_NEEDS.find(({ versions }) => satisfies(version, versions));
  if (!takesAll && known !== undefined)
    throw needs(`Node ${version} of the registry`, known.libraries);
}

/**
 * @param version when it is known already
 * @returns its version; undefined when it does not run here and does not say it
 * @throws E_NODE_INTERPRETER, E_ELF_*
 */
export async function checkInterpreter(
  { bytes, file, shown }: Candidate,
  surroundings: Surroundings,
  version?: string,
): Promise<string | undefined> {
  if (!hasElfMagic(bytes))
    throw isNone(shown, bytes.subarray(0, 2).equals(SCRIPT) ? "script" : "file");
  const { elf, needed } = await dynamicOf(file, shown);
  if (elf.machine !== surroundings.target.machine) {
    const what = `the interpreter is for ${machineName(elf.machine)}, not for ${surroundings.target.arch}`;
    throw errors.interpreter(what, { path: shown });
  }
  if (needed.some((name) => name.startsWith("libnode.so"))) {
    const hint: FailureText = (name) => `Pack a Node of one piece: ${name("node", DEFAULT_NODE)}`;
    throw errors.interpreter("most of this Node is in libnode.so", { path: shown, hint });
  }
  if (!bytes.includes(MARK)) throw isNone(shown);
  checkLibraries(needed, surroundings, shown);
  const found = version ?? (await askVersion(file, shown));
  if (found !== undefined) checkVersion(found);
  return found;
}

/**
 * Of one that was looked at before, for a build that packed other libraries perhaps.
 *
 * @throws E_NODE_INTERPRETER, E_ELF_*
 */
export async function checkAgain(
  { file, shown }: Pick<Candidate, "file" | "shown">,
  surroundings: Surroundings,
): Promise<void> {
  checkLibraries((await dynamicOf(file, shown)).needed, surroundings, shown);
}

async function dynamicOf(file: string, shown: string): Promise<DynamicFacts> {
  const handle = await open(file);
  return readDynamic(handle, shown).finally(() => handle.close());
}

function checkLibraries(
  needed: readonly string[],
  { target, packsLibraries }: Surroundings,
  shown: string,
): void {
  const lacking = needed.filter((name) => !isEverywhere(name, target.libc));
  if (lacking.length > 0 && !packsLibraries) throw needs("this Node", lacking, shown);
}

function isEverywhere(library: string, libc: Libc): boolean {
  if (libc === "static") return false;
  if (OF_EVERY_NODE.includes(library)) return true;
  return hostLibrary(library)?.family === "libc" && library.includes("musl") === (libc === "musl");
}

/** Its version; undefined where it cannot be started, as on another machine. */
async function askVersion(file: string, shown: string): Promise<string | undefined> {
  const args = ["-p", "JSON.stringify(process.versions)"];
  const answer = await runNode(file, args, { cwd: "/", env: {} }).catch(() => undefined);
  if (answer === undefined) return undefined;
  try {
    const { node, bun, deno, electron } = JSON.parse(answer) as Record<string, string | undefined>;
    const version = valid(node) ?? undefined;
    if (version !== undefined && (bun ?? deno ?? electron) === undefined) return version;
  } catch {
    // No Node speaks like that.
  }
  throw isNone(shown);
}

/** Shims of version managers are scripts, and lead to nothing on another machine. */
function isNone(path: string, what: "program" | "script" | "file" = "program"): Error {
  const hint: FailureText = (name) =>
    `Give the program that \`node -p process.execPath\` prints, or a version: ${name("node", DEFAULT_NODE)}`;
  return errors.interpreter(`this ${what} is no Node`, { path, hint });
}

function needs(who: string, libraries: readonly string[], path?: string): Error {
  const one = libraries.length === 1;
  const hint: FailureText = (name) =>
    `Many machines do not have ${one ? "it" : "them"}, and the app would not start there. Pack ${one ? "it" : "them"} ` +
    `too (${name("withLibs")}), or Node 24 (${name("node", DEFAULT_NODE)}).`;
  const what = `${who} needs ${libraries.join(", ")}`;
  return errors.interpreter(what, { ...(path !== undefined && { path }), hint });
}
