/**
 * How much a layer may become. What is compressed may claim any size, so what comes out is compared with
 * what went in; holes of sparse files, which cost nothing in an archive, count as what comes out.
 */
import * as errors from "../errors.ts";
import type { EntryFacts } from "../input/tar/place-entry.ts";

/** Bytes that any layer may become, however small it is. */
const FREE = 1 << 30;
/** Beyond that: bytes for each byte of the layer. Text is compressed to a tenth, zeros to a thousandth. */
const RATIO = 100;
/** Entries of an image. */
const ENTRIES_MAX = 1 << 21;
/** Bytes of names, targets of links and extended attributes of an image. */
const FACTS_MAX = 1 << 28;
/** User and group numbers have 32 bits. */
const ID_MAX = 0xffff_ffff;

export class LayerLimits {
  #entries = 0;
  #facts = 0;

  /**
   * One more entry of the image.
   *
   * @throws E_LAYER_LIMIT, E_LAYER_CORRUPT
   */
  take({ name, linkName, xattrs, uid, gid }: EntryFacts, shown: string): void {
    this.#entries++;
    this.#facts += name.length + linkName.length;
    for (const xattr of xattrs) this.#facts += xattr.name.length + xattr.value.length;
    if (this.#entries > ENTRIES_MAX || this.#facts > FACTS_MAX) {
      throw errors.layer(
        "E_LAYER_LIMIT",
        shown,
        "has more files, or longer names, than an image can",
        {
          expected: `at most ${ENTRIES_MAX} entries and ${FACTS_MAX} bytes of names and attributes`,
        },
      );
    }
    if (uid > ID_MAX || gid > ID_MAX) {
      throw errors.layer("E_LAYER_CORRUPT", shown, "has an owner whose number is too large", {
        expected: `at most ${ID_MAX}`,
        actual: `${uid}:${gid}`,
      });
    }
  }
}

/**
 * @param taken bytes of the layer as it is stored
 * @param made bytes that came out of them, with holes
 * @throws E_LAYER_LIMIT
 */
export function requireRatio(taken: number, made: number, shown: string): void {
  const most = FREE + RATIO * taken;
  if (made <= most) return;
  throw errors.layer("E_LAYER_LIMIT", shown, "becomes far larger than what it is made of", {
    expected: `at most ${most} bytes of ${taken}`,
    actual: `${made} or more`,
  });
}
