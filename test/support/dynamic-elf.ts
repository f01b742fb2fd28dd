/** Dynamically linked ELF files made byte by byte: no compiler, any machine. They do not run. */

export interface DynamicShape {
  machine?: number;
  interpreter?: string;
  needed?: readonly string[];
  soname?: string;
  rpath?: string;
  runpath?: string;
  /** DT_FILTER and DT_AUXILIARY. */
  filters?: readonly string[];
  auxiliary?: readonly string[];
  /** Names that others must define. */
  undefinedSymbols?: readonly string[];
  /** Constants, one behind the other as Rust and Go keep theirs. */
  constants?: string;
  /** Versions by library, as `{ "libc.so.6": ["GLIBC_2.34"] }`. */
  versions?: Readonly<Record<string, readonly string[]>>;
  /** Versions that its own symbols have. */
  defined?: readonly string[];
}

const [HEADER, PROGRAM] = [64, 56];

/** 64-bit, little-endian, one PT_LOAD of the whole file at address 0, no section headers. */
export function makeDynamicElf(shape: DynamicShape = {}): Buffer {
  const strings = ["\0"];
  let stringsSize = 1;
  const string = (text: string) => {
    const at = stringsSize;
    strings.push(`${text}\0`);
    stringsSize += Buffer.byteLength(text) + 1;
    return at;
  };
  const dynamic: [number, number][] = [];
  for (const name of shape.needed ?? []) dynamic.push([1, string(name)]);
  for (const name of shape.filters ?? []) dynamic.push([0x7fffffff, string(name)]);
  for (const name of shape.auxiliary ?? []) dynamic.push([0x7ffffffd, string(name)]);
  if (shape.soname !== undefined) dynamic.push([14, string(shape.soname)]);
  if (shape.rpath !== undefined) dynamic.push([15, string(shape.rpath)]);
  if (shape.runpath !== undefined) dynamic.push([29, string(shape.runpath)]);
  const versions = Object.entries(shape.versions ?? {});
  const verneed = Buffer.concat(
    versions.map(([library, names], index) => {
      const bytes = Buffer.alloc(16 * (1 + names.length));
      bytes.writeUInt16LE(1, 0);
      bytes.writeUInt16LE(names.length, 2);
      bytes.writeUInt32LE(string(library), 4);
      bytes.writeUInt32LE(16, 8);
      bytes.writeUInt32LE(index + 1 < versions.length ? bytes.length : 0, 12);
      for (const [position, name] of names.entries()) {
        const at = 16 * (position + 1);
        bytes.writeUInt32LE(string(name), at + 8);
        bytes.writeUInt32LE(position + 1 < names.length ? 16 : 0, at + 12);
      }
      return bytes;
    }),
  );
  const defined = shape.defined ?? [];
  const verdef = Buffer.alloc(28 * defined.length);
  for (const [index, name] of defined.entries()) {
    verdef.writeUInt16LE(1, index * 28);
    verdef.writeUInt16LE(1, index * 28 + 6);
    verdef.writeUInt32LE(20, index * 28 + 12);
    verdef.writeUInt32LE(index + 1 < defined.length ? 28 : 0, index * 28 + 16);
    verdef.writeUInt32LE(string(name), index * 28 + 20);
  }
  const names = shape.undefinedSymbols ?? [];
  const symbols = Buffer.alloc(names.length === 0 ? 0 : 24 * (names.length + 1));
  for (const [index, name] of names.entries())
    symbols.writeUInt32LE(string(name), 24 * (index + 1));
  const constants = Buffer.from(shape.constants ?? "");
  const interpreter = Buffer.from(shape.interpreter === undefined ? "" : `${shape.interpreter}\0`);
  const programs = shape.interpreter === undefined ? 2 : 3;
  const interpreterAt = HEADER + programs * PROGRAM;
  const symbolsAt = interpreterAt + interpreter.length;
  const stringsAt = symbolsAt + symbols.length;
  const verneedAt = stringsAt + stringsSize;
  const verdefAt = verneedAt + verneed.length;
  const constantsAt = verdefAt + verdef.length;
  const dynamicAt = constantsAt + constants.length;
  if (symbols.length > 0) dynamic.push([6, symbolsAt]);
  dynamic.push([5, stringsAt], [10, stringsSize]);
  if (versions.length > 0) dynamic.push([0x6ffffffe, verneedAt], [0x6fffffff, versions.length]);
  if (defined.length > 0) dynamic.push([0x6ffffffc, verdefAt], [0x6ffffffd, defined.length]);
  dynamic.push([0, 0]);
  const size = dynamicAt + dynamic.length * 16;

  const bytes = Buffer.alloc(size);
  bytes.write("\x7fELF\x02\x01\x01", "latin1");
  bytes.writeUInt16LE(3, 16);
  bytes.writeUInt16LE(shape.machine ?? 62, 18);
  bytes.writeBigUInt64LE(BigInt(HEADER), 32);
  bytes.writeUInt16LE(HEADER, 52);
  bytes.writeUInt16LE(PROGRAM, 54);
  bytes.writeUInt16LE(programs, 56);
  const segment = (index: number, type: number, at: number, length: number) => {
    const start = HEADER + index * PROGRAM;
    bytes.writeUInt32LE(type, start);
    for (const [position, word] of [at, at, at, length, length, 8].entries()) {
      bytes.writeBigUInt64LE(BigInt(word), start + 8 + position * 8);
    }
  };
  segment(0, 1, 0, size);
  segment(1, 2, dynamicAt, dynamic.length * 16);
  if (programs > 2) segment(2, 3, interpreterAt, interpreter.length);
  interpreter.copy(bytes, interpreterAt);
  symbols.copy(bytes, symbolsAt);
  constants.copy(bytes, constantsAt);
  bytes.write(strings.join(""), stringsAt);
  verneed.copy(bytes, verneedAt);
  verdef.copy(bytes, verdefAt);
  for (const [index, [tag, value]] of dynamic.entries()) {
    bytes.writeBigUInt64LE(BigInt(tag), dynamicAt + index * 16);
    bytes.writeBigUInt64LE(BigInt(value), dynamicAt + index * 16 + 8);
  }
  return bytes;
}

/** A program of glibc. */
export const makeProgram = (shape: DynamicShape = {}) =>
  makeDynamicElf({ interpreter: "/lib64/ld-linux-x86-64.so.2", ...shape });
