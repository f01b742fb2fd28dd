// What `objcopy --localize-hidden` does, which zig's objcopy does not: in one relocatable object, symbols that
// are defined and hidden become local, so that no other object can mean them or define them again.
// https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.symtab.html: local symbols stand before all others.

const SHT_SYMTAB = 2;
const SHT_RELA = 4;
const SHT_REL = 9;
const SHT_GROUP = 17;
const SHT_SYMTAB_SHNDX = 18;
/** Of the kinds with a table of symbols, those that are understood here. */
const OTHERS = 0x60000000;

const SYMBOL_BYTES = 24;
const RELA_BYTES = 24;
const STV_HIDDEN = 2;

/**
 * @param {Buffer} object ELF64 of little-endian order, of `ld -r`; is changed
 * @returns {{local: number, global: string[]}} how many became local, and the names that are left to be found
 */
export function localizeHidden(object) {
  const first = Number(object.readBigUInt64LE(40));
  const count = object.readUInt16LE(60);
  const sections = Array.from({ length: count }, (_, index) => {
    const at = first + index * 64;
    return {
      at,
      type: object.readUInt32LE(at + 4),
      offset: Number(object.readBigUInt64LE(at + 24)),
      size: Number(object.readBigUInt64LE(at + 32)),
      link: object.readUInt32LE(at + 40),
    };
  });
  const index = sections.findIndex(({ type }) => type === SHT_SYMTAB);
  const table = sections[index];
  for (const { type, link } of sections) {
    const strange = [SHT_REL, SHT_GROUP, SHT_SYMTAB_SHNDX].includes(type) || type >= OTHERS;
    if (strange && link === index) throw new Error(`localize: sections of type ${type}`);
  }
  const names = sections[table.link];
  const nameOf = (/** @type {Buffer} */ symbol) => {
    const at = names.offset + symbol.readUInt32LE(0);
    return object.toString("latin1", at, object.indexOf(0, at));
  };
  const symbols = Array.from({ length: table.size / SYMBOL_BYTES }, (_, number) => {
    const at = table.offset + number * SYMBOL_BYTES;
    const bytes = Buffer.from(object.subarray(at, at + SYMBOL_BYTES));
    const isDefined = bytes.readUInt16LE(6) !== 0;
    const hidden = bytes[4] >> 4 !== 0 && isDefined && (bytes[5] & 3) === STV_HIDDEN;
    if (hidden) {
      bytes[4] &= 0xf; // STB_LOCAL
      bytes[5] &= ~3;
    }
    return { number, bytes, hidden, local: bytes[4] >> 4 === 0, isDefined };
  });
  const locals = symbols.filter(({ local }) => local);
  const others = symbols.filter(({ local }) => !local);
  /** @type {Map<number, number>} */
  const moved = new Map();
  for (const [place, { number, bytes }] of [...locals, ...others].entries()) {
    bytes.copy(object, table.offset + place * SYMBOL_BYTES);
    moved.set(number, place);
  }
  object.writeUInt32LE(locals.length, table.at + 44);
  for (const { type, link, offset, size } of sections) {
    if (type !== SHT_RELA || link !== index) continue;
    for (let at = offset; at < offset + size; at += RELA_BYTES) {
      object.writeUInt32LE(
        /** @type {number} */ (moved.get(object.readUInt32LE(at + 12))),
        at + 12,
      );
    }
  }
  return {
    local: symbols.filter(({ hidden }) => hidden).length,
    global: others.filter(({ isDefined }) => isDefined).map(({ bytes }) => nameOf(bytes)),
  };
}
