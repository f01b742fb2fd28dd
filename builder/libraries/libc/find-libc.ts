/**
 * The parts of a libc on this machine, or below a --sysroot: its dynamic linker and the libraries that are
 * one piece with it. All of them lie beside its libc.so.6, of whichever distribution.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { machineName, readElf } from "../../elf/read.ts";
import * as errors from "../../errors.ts";
import { openRegularFile } from "../../host/status.ts";
import type { ElfFiles } from "../elf-objects.ts";
import { systemFolders } from "../search-path.ts";
import { compareNumbers, newest, numbersOf } from "./needed-versions.ts";
import { fileOf, firstOf } from "./sysroot.ts";

/** A file that goes along, under the name that the dynamic linker asks for. */
interface LibcPart {
  name: string;
  /** Where it is here, without links in its path. */
  file: string;
  /** Versions that it defines. */
  defined: readonly string[];
}

export interface FoundLibc {
  kind: "glibc" | "musl";
  /** "2.36" */
  version: string;
  /** As the libc says itself which build it is: "Debian GLIBC 2.36-9+deb12u14"; "" where it does not. */
  build: string;
  /** sha256 of libc.so.6, or of musl's dynamic linker; hexadecimal. */
  digest: string;
  /** Folder that its libc.so.6 is in. */
  folder: string;
  loader: LibcPart;
  /** The other parts. */
  libraries: readonly LibcPart[];
  /** Folder with the files LC_* of C.UTF-8, where there is one. */
  locale: string | undefined;
  /** Its licence, where the distribution has it. */
  licence: string | undefined;
}

export interface LibcPlace {
  /** "" for this machine itself. */
  sysroot: string;
  files: ElfFiles;
  /** PT_INTERP of the programs that shall be started by it. */
  interpreters: readonly string[];
  /** Names of parts that something asks for, beside those that are always taken. */
  wanted: readonly string[];
}

const LIBC = "libc.so.6";

/** What programs open or ask for without more ado. libmvec, libnsl and others only where they are wanted. */
const ALWAYS = [
  "libm.so.6",
  "libdl.so.2",
  "libpthread.so.0",
  "librt.so.1",
  "libresolv.so.2",
  "libutil.so.1",
  "libanl.so.1",
  "libnss_compat.so.2",
];

/** Parts of libc.so.6 itself from this version on; the files of these names are empty then. */
const NSS_INSIDE = [2, 34];
const NSS = ["libnss_files.so.2", "libnss_dns.so.2"];

/** Older ones know neither the private auxiliary entries' way to start nor C.UTF-8. */
const LICENCES = {
  glibc: ["/usr/share/doc/libc6/copyright", "/usr/share/licenses/glibc/COPYING.LIB"],
  musl: ["/usr/share/doc/musl/copyright", "/usr/share/licenses/musl/COPYRIGHT"],
};

/**
 * Finds glibc.
 *
 * @returns undefined where there is none for the machine
 * @throws E_LIBC_MACHINE when the sysroot has one for another machine alone; E_LIBC_MISSING when one is
 *   there without its dynamic linker
 */
export async function findGlibc(place: LibcPlace): Promise<FoundLibc | undefined> {
  const { files, interpreters } = place;
  const libc = await libcFile(place);
  if (libc === undefined) return undefined;
  const folder = path.dirname(libc);
  const known = await files.facts(libc);
  const defined = known?.definedVersions ?? [];
  const bytes = await readFile((await files.real(libc)) ?? libc);
  const banner = /GNU C Library \(([^)\n]{1,200})\) [a-z ]*version ([0-9.]+[0-9])/.exec(
    bytes.toString("latin1"),
  );
  const version = banner?.[2] ?? numbersOf(newest(defined) ?? "")?.join(".");
  if (version === undefined) return undefined;
  const names = interpreters.map((file) => path.basename(file));
  const loader = await partOf(files, [
    ...(known?.needed ?? []).filter(isLoader).map((name) => path.join(folder, name)),
    ...names.map((name) => path.join(folder, name)),
    ...interpreters.flatMap((file) => fileOf(place.sysroot, file) ?? []),
  ]);
  if (loader === undefined) throw errors.libcLoader(folder, names);
  const numbers = version.split(".").map(Number);
  const inside = compareNumbers(numbers, NSS_INSIDE) >= 0;
  const wanted = [...ALWAYS, ...(inside ? [] : NSS), ...place.wanted];
  return {
    kind: "glibc",
    version,
    build: banner?.[1] ?? "",
    digest: createHash("sha256").update(bytes).digest("hex"),
    folder,
    loader,
    libraries: [{ name: LIBC, file: libc, defined }, ...(await parts(files, folder, wanted))],
    locale: firstOf(place.sysroot, localesBeside(place.sysroot, folder), "folder"),
    licence: firstOf(place.sysroot, LICENCES.glibc),
  };
}

/**
 * Finds musl, whose dynamic linker is its libc.
 *
 * @returns undefined where there is none for the machine
 * @throws E_LIBC_MACHINE
 */
export async function findMusl(place: LibcPlace): Promise<FoundLibc | undefined> {
  const { files, interpreters, sysroot } = place;
  const candidates = interpreters.flatMap((file) => fileOf(sysroot, file) ?? []);
  const file = await ofMachine(place, candidates);
  const [name] = interpreters.map((one) => path.basename(one));
  if (file === undefined || name === undefined) return undefined;
  const bytes = await readFile(file);
  // "musl libc (x86_64)\nVersion %s\n", and the version somewhere else among the constants.
  const [, version = "of unknown version"] =
    /\0(1\.[0-9]+\.[0-9]+(?:-git-[^\0]*)?)\0/.exec(bytes.toString("latin1")) ?? [];
  const facts = await files.facts(file);
  return {
    kind: "musl",
    version,
    build: "",
    digest: createHash("sha256").update(bytes).digest("hex"),
    folder: path.dirname(file),
    loader: { name, file, defined: facts?.definedVersions ?? [] },
    libraries: [],
    locale: undefined,
    licence: firstOf(sysroot, LICENCES.musl),
  };
}

const isLoader = (name: string) => /^ld[-0-9a-z_]*\.so\.[0-9]+$/.test(name);

/** libc.so.6 beside the dynamic linker of a program, else in a folder of the system. */
async function libcFile(place: LibcPlace): Promise<string | undefined> {
  const { files, interpreters, sysroot } = place;
  const beside = interpreters.flatMap((file) => fileOf(sysroot, file) ?? []).map(path.dirname);
  const system = systemFolders(files.arch, false, sysroot);
  const inSystem = system.flatMap((dir) => path.join("/", path.relative(sysroot || "/", dir)));
  return ofMachine(place, [
    ...beside.map((dir) => path.join(dir, LIBC)),
    ...inSystem.flatMap((dir) => fileOf(sysroot, path.join(dir, LIBC)) ?? []),
  ]);
}

/** The first that is for the machine. @throws E_LIBC_MACHINE where all are for others */
async function ofMachine(
  { files, sysroot }: LibcPlace,
  candidates: readonly string[],
): Promise<string | undefined> {
  let other: { file: string; machine: string } | undefined;
  for (const file of candidates) {
    if ((await files.facts(file)) !== undefined) return file;
    const machine = await machineOfFile(file);
    if (machine !== undefined && machine !== files.arch) other ??= { file, machine };
  }
  if (other !== undefined && sysroot !== "")
    throw errors.libcMachine(other.file, files.arch, other.machine);
  return undefined;
}

async function machineOfFile(file: string): Promise<string | undefined> {
  const handle = await openRegularFile(file).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    return machineName((await readElf(handle, file)).machine);
  } catch (cause) {
    if (cause instanceof errors.BundleError) return undefined;
    throw cause;
  } finally {
    await handle.close();
  }
}

/** The first of some files that is a library for the machine, under its own name. */
async function partOf(
  files: ElfFiles,
  candidates: readonly string[],
): Promise<LibcPart | undefined> {
  for (const file of candidates) {
    const facts = await files.facts(file);
    if (facts === undefined) continue;
    const name = path.basename(facts.soname ?? file);
    return { name, file, defined: facts.definedVersions };
  }
  return undefined;
}

/** Those of some names that lie in the folder, and what these ask for of it in turn. */
async function parts(
  files: ElfFiles,
  folder: string,
  names: readonly string[],
): Promise<LibcPart[]> {
  const found = new Map<string, LibcPart>();
  const pending = [...names];
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (found.has(name) || name === LIBC || isLoader(name) || name.includes("/")) continue;
    const file = path.join(folder, name);
    const facts = await files.facts(file);
    if (facts === undefined) continue;
    found.set(name, { name, file, defined: facts.definedVersions });
    pending.push(...facts.needed);
  }
  return [...found.values()];
}

/** Where distributions keep C.UTF-8; NixOS beside the libc itself. */
function localesBeside(sysroot: string, folder: string): string[] {
  const own = path.join("/", path.relative(path.resolve(sysroot || "/"), folder), "locale");
  return ["/usr/lib/locale", own].flatMap((dir) => [`${dir}/C.utf8`, `${dir}/C.UTF-8`]);
}
