import { describe, expect, test } from "vitest";
import { appendListing, type ListedEntry } from "../../../builder/squashfs/image-listing.ts";
import { METADATA_SIZE, MetadataWriter } from "../../../builder/squashfs/metadata.ts";

const entry = (name: string, number: number, block = 0): ListedEntry => ({
  name,
  type: 2,
  number,
  position: { block, offset: number % 8192 },
});

function list(entries: ListedEntry[], before = 0) {
  const writer = new MetadataWriter(() => null);
  writer.append(Buffer.alloc(before));
  const listing = appendListing(writer, entries);
  const { bytes } = writer.finish();
  const plain = Buffer.concat(bytes.filter((_, i) => i % 2 === 1)); // Without headers of blocks.
  return { listing, bytes: plain.subarray(before) };
}

/** Runs as the kernel walks them: offset of the header, entries, block, base number. */
function runs(bytes: Buffer) {
  const found: { at: number; count: number; block: number; base: number; names: string[] }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const run = {
      at,
      count: bytes.readUInt32LE(at) + 1,
      block: bytes.readUInt32LE(at + 4),
      base: bytes.readUInt32LE(at + 8),
      names: [] as string[],
    };
    at += 12;
    for (let i = 0; i < run.count; i++) {
      const size = bytes.readUInt16LE(at + 6) + 1;
      run.names.push(bytes.toString("latin1", at + 8, at + 8 + size));
      at += 8 + size;
    }
    found.push(run);
  }
  return found;
}

const many = (count: number) =>
  Array.from({ length: count }, (_, i) => entry(`name-${String(i).padStart(6, "0")}`, i + 1));

test("an empty directory has nothing but two dots", () => {
  const { listing, bytes } = list([]);
  expect(listing).toEqual({ position: { block: 0, offset: 0 }, size: 3, index: [] });
  expect(bytes.length).toBe(0);
});

test("an entry has offset, number, type and name", () => {
  const { bytes, listing } = list([entry("ab", 7, 0x99), entry("c", 5, 0x99)]);
  expect(bytes.toString("hex")).toBe(
    "010000009900000007000000" + "0700000002000100" + "6162" + "0500feff02000000" + "63",
  );
  expect(listing.size).toBe(bytes.length + 3);
});

describe("a new header", () => {
  test("comes after 256 entries", () => {
    expect(runs(list(many(300)).bytes).map(({ count }) => count)).toEqual([256, 44]);
  });
  test("comes with a new block of inodes", () => {
    const { bytes } = list([entry("a", 1, 0), entry("b", 2, 0), entry("c", 3, 500)]);
    expect(runs(bytes).map(({ count, block }) => [count, block])).toEqual([
      [2, 0],
      [1, 500],
    ]);
  });
  test("comes where a number is too far from the header's", () => {
    const numbers = [40000, 40000 + 32767, 40000 - 32768, 40000 + 32768, 1];
    const { bytes } = list(numbers.map((number, i) => entry(`${i}`, number)));
    expect(runs(bytes).map(({ base, count }) => [base, count])).toEqual([
      [40000, 3],
      [72768, 1],
      [1, 1],
    ]);
  });
  test("comes with every block of the listing", () => {
    const before = 8000;
    const entries = many(1500);
    const found = runs(list(entries, before).bytes);
    expect(found.flatMap(({ names }) => names)).toEqual(entries.map(({ name }) => name));
    const blocks = found.map(({ at }) => Math.floor((before + at) / METADATA_SIZE));
    const last = Math.floor((before + list(entries, before).bytes.length - 1) / METADATA_SIZE);
    for (let block = 0; block <= last; block++) expect(blocks).toContain(block);
  });
});

describe("the index", () => {
  test("is left out where the listing is short, even across two blocks", () => {
    expect(list(many(20), METADATA_SIZE - 100).listing.index).toEqual([]);
  });
  test("names the first header of every block but the first", () => {
    const before = 5000;
    const { listing, bytes } = list(many(3000), before);
    const headers = new Map(runs(bytes).map((run) => [run.at, run]));
    expect(listing.index.length).toBe(Math.floor((before + bytes.length) / METADATA_SIZE));
    listing.index.forEach(({ listingOffset, block, name }, i) => {
      expect(headers.get(listingOffset)?.names[0]).toBe(name);
      expect(Math.floor((before + listingOffset) / METADATA_SIZE)).toBe(i + 1);
      expect(block).toBe((i + 1) * (METADATA_SIZE + 2));
    });
  });
});
