/** A libc into the tree, and the programs of the tree to its dynamic linker. */
import { existsSync } from "node:fs";
import path from "node:path";
import type { OwnLoader } from "../../elf/own-loader.ts";
import { withPrivateVariables } from "../../elf/packed-libc.ts";
import { withoutHostFiles } from "../../elf/packed-loader.ts";
import * as errors from "../../errors.ts";
import { type FileNode, symlinkNode } from "../../tree/node.ts";
import { byteString } from "../../tree/path.ts";
import type { Tree } from "../../tree/tree.ts";
import type { ElfChanges } from "../elf-changes.ts";
import type { ElfFiles, ElfObject } from "../elf-objects.ts";
import { LIBRARY_FOLDER } from "../library-closure.ts";
import type { Linker } from "../linker.ts";
import { type ChosenLibc, LIBC_FOLDER } from "./choose-libc.ts";
import type { FoundLibc } from "./find-libc.ts";
import { chooseGconv, gconvFolder } from "./gconv.ts";
import { LibcFiles } from "./libc-files.ts";
import type { LibcRecord } from "./libc-record.ts";

const GCONV = `${LIBC_FOLDER}/gconv`;
const LOCALES = `${LIBC_FOLDER}/locale`;

/** glibc opens it for backtraces, and where threads end themselves. */
const UNWINDER = "libgcc_s.so.1";

/** What asks for iconv on behalf of a template that nearly nobody uses. */
const ASKS_FOR_NOTHING = /^libstdc\+\+\.so\./;

export interface LibcPacking {
  tree: Tree;
  /** Below which links lead to places of it; "" for this machine. */
  sysroot: string;
  /** Private temporary folder. */
  readonly workspace: string;
  linker: Linker;
  files: ElfFiles;
  /** What else becomes of the programs. */
  changes: ElfChanges;
  /** All ELF files of the image but those of the libc. */
  objects: readonly ElfObject[];
  /** --gconv: names of character sets, "all" or "none"; undefined: what seems to be used. */
  gconv: readonly string[] | undefined;
  /** What so many files of contents compress to, bytes; undefined where nobody wants to know. */
  size?: ((added: readonly FileNode[]) => Promise<number>) | undefined;
}

/** What was packed, for the manifest and for --explain. */
export interface PackedLibc {
  record: LibcRecord;
  explain: readonly string[];
}

/**
 * Adds a libc to the tree and lets its programs start by it. Comes last: what stands in the nodes then is
 * what will be packed.
 *
 * @throws E_LIBC_UNKNOWN, E_LIBC_PROGRAM, E_GCONV, E_FILE_UNREADABLE
 */
export async function packLibc(chosen: ChosenLibc, packing: LibcPacking): Promise<PackedLibc> {
  const { found, mode, versions, programs } = chosen;
  const { kind, loader } = found;
  const own = new LibcFiles(packing, kind);
  const place = (name: string) => `${LIBC_FOLDER}/${byteString(name)}`;
  const blank =
    kind === "glibc" ? (bytes: Buffer) => withoutHostFiles(bytes, loader.file) : undefined;
  await own.add(place(loader.name), loader.file, 0o755, blank);
  for (const { name, file } of found.libraries) {
    const change = (bytes: Buffer) => withPrivateVariables(bytes, file);
    await own.add(place(name), file, 0o755, name === "libc.so.6" ? change : undefined);
  }
  if (kind === "glibc") await addOpened(own, found, packing);
  const start: Omit<OwnLoader, "root"> = {
    libc: kind,
    loader: place(loader.name),
    libraries: [LIBC_FOLDER],
    // Named whether it is there or not: then a program is the same in many images, and a Node, which
    // takes half a minute to compress, is compressed once.
    ...(kind === "glibc" && { gconv: GCONV }),
    ...(found.locale !== undefined && { locale: LOCALES }),
    mode,
    versions,
  };
  if (found.licence !== undefined) await own.add(place(`LICENSE.${kind}`), found.licence, 0o644);
  const count = own.added.length;
  const size = await packing.size?.(own.added);
  for (const program of programs) await own.start(program, packing.changes, start);
  const record: LibcRecord = {
    kind,
    version: found.version,
    mode,
    needs: versions,
    loader: programs[0]?.facts.interpreter ?? "",
    bytes: own.bytes,
    sha256: found.digest,
    build: found.build,
  };
  return { record, explain: [describe(chosen, record, count, size)] };
}

/** What glibc opens by itself. */
async function addOpened(own: LibcFiles, found: FoundLibc, packing: LibcPacking): Promise<void> {
  await addUnwinder(own, packing);
  if (found.locale !== undefined) await own.addFolder(`${LOCALES}/C.utf8`, found.locale);
  await addGconv(own, found, packing);
}

/** One that is packed with the other libraries is not there twice: to ld.so a link is the same library. */
async function addUnwinder(own: LibcFiles, { tree, linker }: LibcPacking): Promise<void> {
  const at = `${LIBC_FOLDER}/${UNWINDER}`;
  const packed = `${LIBRARY_FOLDER}/${UNWINDER}`;
  if (tree.get(packed) !== undefined) {
    tree.add(at, symlinkNode(path.posix.relative(LIBC_FOLDER, packed)));
    return;
  }
  const found = await linker.find(UNWINDER, [], true);
  if (found.kind === "machine") await own.add(at, found.object.real, 0o644);
}

async function addGconv(
  own: LibcFiles,
  found: FoundLibc,
  { objects, gconv, files }: LibcPacking,
): Promise<void> {
  const folder = gconvFolder(found.folder);
  if (gconv === undefined ? !objects.some(converts) : gconv.includes("none")) return;
  if (!existsSync(path.join(folder, "gconv-modules"))) {
    if (gconv !== undefined) throw errors.gconv(gconv, folder);
    return;
  }
  const needed = async (file: string) => {
    const facts = await files.facts(path.join(folder, file));
    const beside = facts?.needed.filter((name) => !name.includes("/")) ?? [];
    return beside.filter((name) => existsSync(path.join(folder, name)));
  };
  const { files: names, table, unknown } = await chooseGconv(folder, gconv, needed);
  if (unknown.length > 0) throw errors.gconv(unknown, folder);
  for (const name of names) await own.add(`${GCONV}/${name}`, path.join(folder, name), 0o644);
  own.addText(`${GCONV}/gconv-modules`, table);
}

const converts = ({ facts, file }: ElfObject) =>
  facts.undefinedSymbols.has("iconv_open") && !ASKS_FOR_NOTHING.test(path.basename(file));

function describe(
  { found, mode, versions, programs }: ChosenLibc,
  { bytes, build }: LibcRecord,
  count: number,
  size: number | undefined,
): string {
  const what = `${found.kind} ${found.version}${build === "" ? "" : ` (${build})`}`;
  const sizes = [
    `${count} files, ${bytes} bytes`,
    ...(size === undefined ? [] : [`${size} when compressed`]),
  ].join(", ");
  const needs = versions.join(" and ");
  const when =
    mode === "pack"
      ? "on every machine"
      : `where the target's is older than ${needs || "what is needed"}`;
  const starts = programs.length === 1 ? "one program" : `${programs.length} programs`;
  return `libc: ${what} from ${found.folder}: ${sizes}; starts ${starts}, ${when}`;
}
