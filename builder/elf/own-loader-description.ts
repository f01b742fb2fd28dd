/** The description at the front of the loader stub: docs/format.md has its layout. */
import { ownLoaderFormat } from "../generated/spec.ts";
import { PROGRAM_BYTES } from "./append-segment.ts";

const { magic, version, modes, libcs, fields } = ownLoaderFormat;

/** How a program finds its libc at start. Folders and files are below the root of the packed tree. */
export interface OwnLoader {
  /** musl's loader is its libc: it needs no versions, and has neither gconv nor locales. */
  libc: (typeof libcs)[number];
  /** Folders between the program's own and the root: 1 for `bin/app`. */
  root: number;
  /** The packed dynamic linker. */
  loader: string;
  /** Folders that it searches, in order. */
  libraries: readonly string[];
  /** Folder of gconv modules. */
  gconv?: string | undefined;
  /** Folder of locales. */
  locale?: string | undefined;
  /** `auto`: by the host's where its libc defines all `versions`. */
  mode: (typeof modes)[number];
  /** Versions of symbols, such as `GLIBC_2.34`. */
  versions: readonly string[];
}

/** What of the program the stub has to know. */
export interface Described {
  /** What its segment is linked for. */
  address: number;
  /** e_entry. */
  entry: bigint;
  /** The dynamic section, and its entries; none when it must not be written to. */
  dynamic: { address: number; count: number };
  /** PT_INTERP: where it stood, and what it named. */
  interpreter: { index: number; path: string };
  /** Program headers for the dynamic linker. */
  rows: readonly Buffer[];
}

/** Where the texts are, in their order. */
const TEXTS = ["loader", "interpreter", "libraries", "versions", "gconv", "locale"] as const;

/**
 * The segment of a program: description, code, texts, program headers.
 *
 * @param stub as it was built
 */
export function encodeOwnLoader(stub: Buffer, given: OwnLoader, program: Described): Buffer {
  const texts = {
    loader: given.loader,
    interpreter: program.interpreter.path,
    libraries: given.libraries.join(":"),
    versions: given.versions.join(":"),
    gconv: given.gconv ?? "",
    locale: given.locale ?? "",
  };
  const strings: Buffer[] = [];
  let at = stub.length;
  const head = Buffer.from(stub);
  for (const name of TEXTS) {
    const text = Buffer.from(`${texts[name]}\0`);
    head.writeUInt32LE(at, fields[name]);
    strings.push(text);
    at += text.length;
  }
  const gap = Buffer.alloc(-at & 7);
  const headers = at + gap.length;
  const length = headers + program.rows.length * PROGRAM_BYTES;
  const numbers = {
    length,
    dynamic_count: program.dynamic.count,
    headers,
    header_count: program.rows.length,
    interpreter_index: program.interpreter.index,
    mode: modes.indexOf(given.mode),
    libc: libcs.indexOf(given.libc),
    root: given.root,
  } as const;
  for (const [name, value] of Object.entries(numbers)) {
    head.writeUInt32LE(value, fields[name as keyof typeof numbers]);
  }
  head.writeBigUInt64LE(BigInt(program.address), fields.address);
  head.writeBigUInt64LE(program.entry, fields.entry);
  head.writeBigUInt64LE(BigInt(program.dynamic.address), fields.dynamic);
  return Buffer.concat([head, ...strings, gap, ...program.rows]);
}

/** Bytes of a segment that `encodeOwnLoader` would make. */
export function ownLoaderBytes(
  stub: Buffer,
  given: OwnLoader,
  interpreter: string,
  rows: number,
): number {
  const program = {
    ...{ address: 0, entry: 0n, dynamic: { address: 0, count: 0 } },
    interpreter: { index: 0, path: interpreter },
    rows: Array.from({ length: rows }, () => Buffer.alloc(PROGRAM_BYTES)),
  };
  return encodeOwnLoader(stub, given, program).length;
}

/** Bytes of the description: no such segment is shorter. */
export const DESCRIPTION_BYTES = fields.size;

/** Bytes of the whole segment by its first ones; undefined when these are no description of this version. */
export function ownLoaderLength(head: Buffer): number | undefined {
  const known =
    head.length >= DESCRIPTION_BYTES &&
    head.toString("latin1", 0, magic.length) === magic &&
    head.readUInt32LE(fields.version) === version;
  return known ? head.readUInt32LE(fields.length) : undefined;
}

/** What a segment says; undefined when it is none, or contradicts itself. */
export function decodeOwnLoader(
  segment: Buffer,
): { own: OwnLoader; program: Described } | undefined {
  if (ownLoaderLength(segment) !== segment.length) return undefined;
  const number = (name: keyof typeof fields) => segment.readUInt32LE(fields[name]);
  const word = (name: keyof typeof fields) => segment.readBigUInt64LE(fields[name]);
  const text = (name: (typeof TEXTS)[number]) => {
    const start = number(name);
    const end = segment.indexOf(0, start);
    return start < segment.length && end >= 0 ? segment.toString("utf8", start, end) : undefined;
  };
  const [loader, interpreter, libraries, versions, gconv, locale] = TEXTS.map(text);
  const mode = modes[number("mode")];
  const libc = libcs[number("libc")];
  const [headers, count] = [number("headers"), number("header_count")];
  if (loader === undefined || interpreter === undefined || libraries === undefined)
    return undefined;
  if (versions === undefined || mode === undefined || libc === undefined) return undefined;
  if (headers + count * PROGRAM_BYTES !== segment.length) return undefined;
  const list = (one: string) => one.split(":").filter((part) => part !== "");
  return {
    own: {
      ...{ libc, root: number("root"), loader, libraries: list(libraries), mode },
      versions: list(versions),
      ...(gconv !== undefined && gconv !== "" && { gconv }),
      ...(locale !== undefined && locale !== "" && { locale }),
    },
    program: {
      address: Number(word("address")),
      entry: word("entry"),
      dynamic: { address: Number(word("dynamic")), count: number("dynamic_count") },
      interpreter: { index: number("interpreter_index"), path: interpreter },
      rows: Array.from({ length: count }, (_, index) => {
        const at = headers + index * PROGRAM_BYTES;
        return Buffer.from(segment.subarray(at, at + PROGRAM_BYTES));
      }),
    },
  };
}
