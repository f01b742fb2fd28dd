/**
 * Machine code in installed packages that the target cannot load: packages carry programs and libraries
 * for every system and processor.
 *
 * What a file is for is read in the file, not in its name. What some target may have a use for stays:
 * code for graphics processors and the kernel's own machine, objects that are linked later, .NET
 * assemblies, firmware.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { hasElfMagic } from "../../elf/read.ts";
import { type Contents, pathOnDisk } from "../../tree/node.ts";
import { bytesOf, joinPath } from "../../tree/path.ts";
import type { Tree } from "../../tree/tree.ts";
import type { PackageAddons } from "./addons.ts";
import type { Target } from "./target.ts";

/** Bytes of a file that are looked at: an ELF header and its program headers, or those of a PE file. */
const HEAD = 4096;

/** Endings of text and pictures, which need no look. */
const NO_CODE =
  /\.(?:[cm]?[jt]sx?|json5?|map|md|markdown|txt|s?css|less|x?html?|xml|ya?ml|toml|svg|png|jpe?g|gif|webp|ico|woff2?|ttf|otf|wasm|flow|lock|py|sh|cmd|bat|ps1)$/i;

/** e_machine of processors that run programs of a desktop or server: 386, mips, ppc, s390, arm, ... */
const PROCESSORS = new Set([2, 3, 8, 18, 20, 21, 22, 40, 43, 62, 183, 243, 258]);
/** By e_machine of the target: others whose programs its kernel may run. */
const ALSO: Readonly<Record<number, number>> = { 62: 3, 183: 40 };
/** EI_OSABI of other systems: NetBSD, Solaris, FreeBSD, OpenBSD. */
const OTHER_SYSTEMS = new Set([2, 6, 9, 12]);
/** p_type of what only a program of a system has: dynamic, interpreter, thread-local, stack. */
const SYSTEM_SEGMENTS = new Set([2, 3, 7, 0x6474e551]);

/** What was left out of one package. */
interface LeftOut {
  package: string;
  files: number;
  bytes: number;
}

export class ForeignFiles {
  readonly #target: Target;
  readonly #found: LeftOut[] = [];

  constructor(target: Target) {
    this.#target = target;
  }

  /** Takes them out of the folder of a package. @param name of the package, for the report */
  takeOut(name: string, folder: Tree, addons: PackageAddons | undefined): void {
    const known = new Set(addons?.foreign);
    const total: LeftOut = { package: name, files: 0, bytes: 0 };
    for (const { path: dir, node } of folder.walk()) {
      if (node.kind !== "directory") continue;
      for (const [entry, child] of [...node.entries]) {
        const file = Buffer.from(joinPath(dir, entry), "latin1").toString("utf8");
        if (child.kind !== "file" || child.contents.from !== "disk") continue;
        if (
          !known.has(file) &&
          (addons?.kept.includes(file) || !this.#isForeign(file, child.contents))
        )
          continue;
        node.entries.delete(entry);
        total.files++;
        total.bytes += child.contents.size;
      }
    }
    if (total.files > 0) this.#found.push(total);
  }

  #isForeign(file: string, contents: Contents & { from: "disk" }): boolean {
    if (NO_CODE.test(file) || contents.size < 64) return false;
    return isForeignCode(headOf(pathOnDisk(contents)), this.#target);
  }

  /** One line that says how much was left out; undefined when nothing was. */
  summary(): string | undefined {
    if (this.#found.length === 0) return undefined;
    const all = [...this.#found].sort((a, b) => b.bytes - a.bytes);
    const shown = all.slice(0, 3).map((one) => `${one.package} ${mebibytes(one.bytes)}`);
    const more = all.length > 3 ? `, and ${all.length - 3} more packages` : "";
    const files = all.reduce((sum, one) => sum + one.files, 0);
    const bytes = all.reduce((sum, one) => sum + one.bytes, 0);
    return (
      `left out: ${mebibytes(bytes)} in ${files} file${files === 1 ? "" : "s"} for other machines ` +
      `(${shown.join(", ")}${more}); --keep-foreign packs them`
    );
  }
}

const mebibytes = (bytes: number) => `${(bytes / (1 << 20)).toFixed(1)} MiB`;

/** @param file byte string */
function headOf(file: string): Buffer {
  const fd = openSync(bytesOf(file), "r");
  try {
    const head = Buffer.alloc(HEAD);
    const short = readSync(fd, head, 0, 64, 0);
    if (!startsLikeCode(head)) return head.subarray(0, short);
    return head.subarray(0, short + readSync(fd, head, short, HEAD - short, short));
  } finally {
    closeSync(fd);
  }
}

const PDB = "Microsoft C/C++ MSF 7.00\r\n\x1aDS";
const MACH_O = new Set([0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe]);
const FAT = new Set([0xcafebabe, 0xcafebabf]);
/** A Java class starts as a fat Mach-O file does, with its version in place of a count. */
const FAT_MAX = 30;

function startsLikeCode(head: Buffer): boolean {
  const magic = head.readUInt32BE(0);
  const isFat = FAT.has(magic) && head.readUInt32BE(4) <= FAT_MAX;
  return (
    hasElfMagic(head) ||
    MACH_O.has(magic) ||
    isFat ||
    head.toString("latin1", 0, 2) === "MZ" ||
    head.toString("latin1", 0, PDB.length) === PDB
  );
}

/**
 * Whether a file holds machine code that no target of this kind loads.
 *
 * @param head first bytes, 64 or more
 * @internal
 */
export function isForeignCode(head: Buffer, target: Target): boolean {
  if (head.length < 64 || !startsLikeCode(head)) return false;
  if (hasElfMagic(head)) return isForeignElf(head, target.machine);
  return head.toString("latin1", 0, 2) === "MZ" ? isWindowsCode(head) : true;
}

function isForeignElf(head: Buffer, target: number): boolean {
  const isBig = head[5] === 2;
  const at16 = (at: number) => (isBig ? head.readUInt16BE(at) : head.readUInt16LE(at));
  const machine = at16(18);
  const isProgram = at16(16) === 2 || at16(16) === 3;
  if (!isProgram || !PROCESSORS.has(machine) || !hasSystemSegment(head, isBig)) return false;
  if (OTHER_SYSTEMS.has(head[7] ?? 0)) return true;
  return isBig || (machine !== target && machine !== ALSO[target]);
}

/** Firmware for a device has none; it may be what the package is for. */
function hasSystemSegment(head: Buffer, isBig: boolean): boolean {
  const isWide = head[4] === 2;
  const at16 = (at: number) => (isBig ? head.readUInt16BE(at) : head.readUInt16LE(at));
  const at32 = (at: number) => (isBig ? head.readUInt32BE(at) : head.readUInt32LE(at));
  const table = isWide ? at32(isBig ? 36 : 32) : at32(28);
  const size = at16(isWide ? 54 : 42);
  const count = at16(isWide ? 56 : 44);
  for (let i = 0; i < count; i++) {
    const at = table + i * size;
    if (at + 4 > head.length) return false;
    if (SYSTEM_SEGMENTS.has(at32(at))) return true;
  }
  return false;
}

/** A PE file of Windows itself, not one of a boot loader or of .NET, whose code is for any machine. */
function isWindowsCode(head: Buffer): boolean {
  const pe = head.readUInt32LE(0x3c);
  const optional = pe + 24;
  if (optional + 240 > head.length || head.readUInt32LE(pe) !== 0x4550) return false;
  const subsystem = head.readUInt16LE(optional + 68);
  const directories = optional + (head.readUInt16LE(optional) === 0x20b ? 112 : 96);
  const managed = head.readUInt32LE(directories + 14 * 8);
  return subsystem >= 1 && subsystem <= 3 && managed === 0;
}
