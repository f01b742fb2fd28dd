/**
 * Whether a libc goes along, and which: --libc.
 *
 * A packed libc knows nothing of the machine that it starts on, so whatever a program loads must be in the
 * image. "auto" packs it where that is so, and leaves the image as it always was where it is not.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { ResolvedBuildOptions } from "../../config/build-options.ts";
import { cannotStartByOwnLoader } from "../../elf/own-loader.ts";
import * as errors from "../../errors.ts";
import type { Learned } from "../../host/learned.ts";
import type { Tree } from "../../tree/tree.ts";
import { type Warning, type WarningCode, warning } from "../../warnings.ts";
import { type ElfFiles, type ElfObject, isMuslLinker, isProgram } from "../elf-objects.ts";
import { isEverywhere } from "../host-libraries.ts";
import type { Closure } from "../library-closure.ts";
import { type FoundLibc, findGlibc, findMusl, type LibcPlace } from "./find-libc.ts";
import { neededVersions, privateUser, versionsToAsk } from "./needed-versions.ts";

/** Where the parts of a libc go: beside the other libraries, which the host's libc is used with too. */
export const LIBC_FOLDER = "lib/libc";

/** A libc that goes along. */
export interface ChosenLibc {
  found: FoundLibc;
  /** Programs that are started by it. */
  programs: readonly ElfObject[];
  mode: "auto" | "pack";
  /** Versions that the host's libc.so.6 must define to be used. */
  versions: readonly string[];
}

export interface LibcChoice {
  libcs: readonly ChosenLibc[];
  /** Why none goes along, or why one does not: for --explain. */
  reasons: readonly string[];
  warnings: readonly Warning[];
}

export interface LibcQuestion {
  tree: Tree;
  options: Pick<ResolvedBuildOptions, "libc" | "targetHas" | "arch">;
  objects: readonly ElfObject[];
  closure: Closure;
  files: ElfFiles;
  /** "" for this machine itself. */
  sysroot: string;
  /** Whether the libraries of `closure` go along if a libc does. */
  takesLibraries: boolean;
  /** What is known of programs that builds meet again and again. */
  learned: Learned;
}

const none = (reason?: string): LibcChoice => ({
  libcs: [],
  reasons: reason === undefined ? [] : [reason],
  warnings: [],
});

/**
 * @throws E_LIBC_MISSING, E_LIBC_VERSION, E_LIBC_PROGRAM when one is to be packed and cannot be;
 *   E_LIBC_MACHINE
 */
export async function chooseLibc(question: LibcQuestion): Promise<LibcChoice> {
  const { options, objects } = question;
  const wanted = options.libc ?? "auto";
  if (wanted === "host") return none();
  const before = objects.find(({ facts }) => facts.ownLoader !== undefined);
  if (before !== undefined) return none(); // As an earlier build has chosen.
  const programs = objects.filter(isProgram);
  if (wanted === "auto" && programs.length > 0) {
    const open = openReason(question);
    if (open !== undefined) return none(open);
  }
  const asked = wanted === "pack";
  const { startable, warnings } = await programsThatCan(objects, question.learned, asked);
  const choices: (ChosenLibc | LibcChoice)[] = [];
  for (const kind of ["glibc", "musl"] as const) {
    const own = startable.filter((program) => kindOf(program) === kind);
    if (own.length > 0) choices.push(await chooseOne(kind, own, question, asked));
  }
  const others = choices.filter((one) => "libcs" in one);
  return {
    libcs: choices.filter((one) => "found" in one),
    reasons: others.flatMap(({ reasons }) => reasons),
    warnings: [...warnings, ...others.flatMap((one) => one.warnings)],
  };
}

/** Which libc a program is for, by its dynamic linker and what it asks for; undefined: none that is known. */
function kindOf({ facts }: ElfObject): FoundLibc["kind"] | undefined {
  const { interpreter = "", needed } = facts;
  if (isMuslLinker(interpreter)) return "musl";
  if (needed.includes("libc.so.6")) return "glibc";
  return /^ld(64|-linux[-a-z0-9_]*|-lsb[-a-z0-9_]*)\.so\.[0-9]+$/.test(path.basename(interpreter))
    ? "glibc"
    : undefined;
}

/** Why not all that the programs load is in the image, or will be. */
function openReason({ tree, closure, options, takesLibraries, objects }: LibcQuestion) {
  const has = (options.targetHas ?? []).find((name) => /^(glibc-|libc\.so|ld-)/.test(name));
  if (has !== undefined) return `every target has ${has}, as was said`;
  const own = objects.find(({ facts }) => facts.soname === "libc.so.6");
  if (own !== undefined) return `${own.shown} is one already`;
  if (tree.get("lib")?.kind === "symlink" || tree.get(LIBC_FOLDER) !== undefined)
    return `the app has something else at ${LIBC_FOLDER}`;
  const [missing] = closure.missing;
  if (missing !== undefined) return `${missing.name}, for ${missing.neededBy}, is not here`;
  for (const [name, library] of closure.target) {
    if (library.family === "declared" || !isEverywhere(library))
      return `${name}, for ${library.neededBy}, is the target's too`;
  }
  const [open] = takesLibraries ? [] : closure.packed.filter(({ name }) => !isOfLibc(name));
  if (open !== undefined)
    return `${open.name}, for ${open.neededBy}, is the target's too; --with-libs packs both`;
  return undefined;
}

/** What goes along with a libc, because the libc itself opens it. */
const isOfLibc = (name: string) => name === "libgcc_s.so.1";

const CODES = {
  payload: "W_LIBC_PAYLOAD",
  "set-id": "W_LIBC_SETID",
  upx: "W_LIBC_UPX",
  headers: "W_LIBC_PROGRAM",
} as const satisfies Record<string, WarningCode>;

/**
 * The programs that a dynamic linker of the image can start.
 *
 * @param asked that they shall
 * @throws E_LIBC_PROGRAM when one cannot that shall
 */
async function programsThatCan(
  objects: readonly ElfObject[],
  learned: Learned,
  asked: boolean,
): Promise<{ startable: ElfObject[]; warnings: Warning[] }> {
  const startable: ElfObject[] = [];
  const warnings: Warning[] = [];
  for (const object of objects) {
    const { file, facts, node, shown, digest } = object;
    // One without a dynamic linker may be compressed, and name its own when it has unpacked itself.
    if (!isProgram(object) && (facts.needed.length > 0 || facts.soname !== undefined)) continue;
    const capabilities = node?.xattrs.some(({ name }) => name === "security.capability") ?? false;
    const rights = { mode: node?.mode ?? 0, capabilities };
    const look = async () => cannotStartByOwnLoader(await readFile(file), shown, rights);
    const trouble = await (digest === undefined
      ? look()
      : learned.value(["start", digest, rights], async () => (await look()) ?? false));
    if (!trouble && kindOf(object) !== undefined) {
      startable.push(object);
      continue;
    }
    const [code, detail] = !trouble
      ? (["W_LIBC_PROGRAM", `its dynamic linker ${facts.interpreter} is of no known libc`] as const)
      : [CODES[trouble.reason as keyof typeof CODES], trouble.detail];
    if (code === undefined) continue; // A library that can be run, or a static program.
    if (asked) throw errors.libcProgram(shown, detail);
    warnings.push(warning(code, `${shown} is started by the target's libc: ${detail}`));
  }
  return { startable, warnings };
}

async function chooseOne(
  kind: FoundLibc["kind"],
  programs: readonly ElfObject[],
  question: LibcQuestion,
  asked: boolean,
): Promise<ChosenLibc | LibcChoice> {
  const { files, sysroot, closure, objects, options } = question;
  const interpreters = [...new Set(programs.map(({ facts }) => facts.interpreter ?? ""))];
  const wanted = [...closure.target].flatMap(([name, { family }]) =>
    family === "libc" ? name : [],
  );
  const place: LibcPlace = { files, sysroot, interpreters, wanted };
  const found = await (kind === "musl" ? findMusl(place) : findGlibc(place));
  const target = (message: string): LibcChoice => ({
    ...none(message),
    warnings: [warning("W_LIBC_TARGET", `the target must have ${kind}: ${message}`)],
  });
  if (found === undefined) {
    if (asked) throw errors.libcMissing(kind, options.arch, sysroot, interpreters);
    const here = sysroot === "" ? "this machine" : sysroot;
    return target(`${here} has none for ${options.arch}; --sysroot names a folder with one`);
  }
  if (kind === "musl") return { found, programs, mode: "pack", versions: [] };
  const all = [...objects, ...closure.packed.map(({ object }) => object)];
  const needed = neededVersions(all);
  const parts = new Map([found.loader, ...found.libraries].map((part) => [part.name, part]));
  const lacking = needed.find(({ library, version }) => {
    const defined = parts.get(library)?.defined ?? [];
    return defined.length > 0 && !defined.includes(version);
  });
  if (lacking !== undefined) {
    const { shown, version } = lacking;
    if (asked) throw errors.libcVersion(shown, version, found.version, found.folder);
    return target(`${shown} needs ${version}, and the one in ${found.folder} is ${found.version}`);
  }
  const [libc] = found.libraries;
  const mode = privateUser(needed) === undefined && !asked ? "auto" : "pack";
  return { found, programs, mode, versions: versionsToAsk(needed, libc?.defined ?? []) };
}
