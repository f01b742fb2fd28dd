/** The first bytes of programs and libraries for any system and processor. */

export interface ElfHead {
  machine: number;
  bits?: 32 | 64;
  big?: boolean;
  /** e_type; default: a shared object. */
  type?: number;
  osabi?: number;
  /** p_type of the only segment; default: dynamic. */
  segment?: number;
}

/** An ELF header and a program header. */
export function elfHead(shape: ElfHead): Buffer {
  const { machine, bits = 64, big = false, type = 3, osabi = 0, segment = 2 } = shape;
  const wide = bits === 64;
  const head = Buffer.alloc(wide ? 64 + 56 : 52 + 32);
  const put = (value: number, at: number, bytes: 2 | 4) =>
    big ? head.writeUIntBE(value, at, bytes) : head.writeUIntLE(value, at, bytes);
  head.write("\x7fELF", "latin1");
  head.set([wide ? 2 : 1, big ? 2 : 1, 1, osabi], 4);
  put(type, 16, 2);
  put(machine, 18, 2);
  const table = wide ? 64 : 52;
  put(table, wide ? (big ? 36 : 32) : 28, 4);
  put(wide ? 56 : 32, wide ? 54 : 42, 2);
  put(1, wide ? 56 : 44, 2);
  put(segment, table, 4);
  return head;
}

/** The headers of a PE file. */
export function peHead(shape: { bits?: 32 | 64; subsystem?: number; managed?: boolean }): Buffer {
  const { bits = 64, subsystem = 3, managed = false } = shape;
  const head = Buffer.alloc(512);
  head.write("MZ");
  head.writeUInt32LE(128, 0x3c);
  head.write("PE\0\0", 128);
  const optional = 128 + 24;
  head.writeUInt16LE(bits === 64 ? 0x20b : 0x10b, optional);
  head.writeUInt16LE(subsystem, optional + 68);
  const directories = optional + (bits === 64 ? 112 : 96);
  if (managed) head.writeUInt32LE(0x2000, directories + 14 * 8);
  return head;
}
