/** ELF files made byte by byte, so that each field can be wrong on its own. */

export interface ElfShape {
  bits?: 32 | 64;
  machine?: number;
  /** File bytes of one PT_LOAD segment: start and length. */
  load?: { offset: number; size: number };
  sections?: readonly { name: string; content: Buffer }[];
  /** Changes the bytes at the end. */
  patch?: (bytes: Buffer) => void;
}

/** Header, one segment header, contents, section names, section header table last. */
export function makeElf(shape: ElfShape = {}): Buffer {
  const { bits = 64, machine = 62, sections = [] } = shape;
  const wide = bits === 64;
  const headerBytes = wide ? 64 : 52;
  const programBytes = wide ? 56 : 32;
  const sectionBytes = wide ? 64 : 40;
  const contents = [...sections, { name: ".shstrtab", content: Buffer.alloc(0) }];
  const names = Buffer.from(`\0${contents.map(({ name }) => `${name}\0`).join("")}`);
  contents[contents.length - 1] = { name: ".shstrtab", content: names };

  let end = headerBytes + programBytes;
  const starts = contents.map(({ content }) => {
    const start = end;
    end += content.length;
    return start;
  });
  const table = Math.ceil(end / 8) * 8;
  const count = contents.length + 1;
  const bytes = Buffer.alloc(table + count * sectionBytes);
  const word = (value: number, at: number) => {
    if (wide) bytes.writeBigUInt64LE(BigInt(value), at);
    else bytes.writeUInt32LE(value, at);
  };

  bytes.write("\x7fELF", "latin1");
  bytes.set([wide ? 2 : 1, 1, 1], 4);
  bytes.writeUInt16LE(2, 16);
  bytes.writeUInt16LE(machine, 18);
  word(headerBytes, wide ? 32 : 28);
  word(table, wide ? 40 : 32);
  const counts = wide ? 52 : 40;
  const numbers = [headerBytes, programBytes, 1, sectionBytes, count, count - 1];
  for (const [index, value] of numbers.entries()) bytes.writeUInt16LE(value, counts + index * 2);

  bytes.writeUInt32LE(1, headerBytes);
  const load = shape.load ?? { offset: 0, size: end };
  word(load.offset, headerBytes + (wide ? 8 : 4));
  word(load.size, headerBytes + (wide ? 32 : 16));

  for (const [index, { name, content }] of contents.entries()) {
    const at = table + (index + 1) * sectionBytes;
    content.copy(bytes, starts[index]);
    bytes.writeUInt32LE(names.indexOf(`${name}\0`), at);
    bytes.writeUInt32LE(name === ".shstrtab" ? 3 : 1, at + 4);
    word(starts[index] ?? 0, at + (wide ? 24 : 16));
    word(content.length, at + (wide ? 32 : 20));
  }
  shape.patch?.(bytes);
  return bytes;
}
