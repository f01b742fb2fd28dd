import { describe, expect, test } from "vitest";
import {
  METADATA_SIZE,
  MetadataWriter,
  metadataReference,
} from "../../../builder/squashfs/metadata.ts";

const stored = () => null;
const toOneByte = () => Uint8Array.of(7);

describe("MetadataWriter", () => {
  test("cuts the stream into blocks of 8 KiB behind their sizes", () => {
    const writer = new MetadataWriter(stored);
    writer.append(Buffer.alloc(METADATA_SIZE + 10, 1));
    const { bytes, size, starts } = writer.finish();
    expect(starts).toEqual([0, METADATA_SIZE + 2]);
    expect(size).toBe(METADATA_SIZE + 2 + 10 + 2);
    const all = Buffer.concat(bytes);
    expect(all.readUInt16LE(0)).toBe(0x8000 | METADATA_SIZE);
    expect(all.readUInt16LE(METADATA_SIZE + 2)).toBe(0x8000 | 10);
    expect(all.length).toBe(size);
  });

  test("a position names the block's place on disk and the offset before compression", () => {
    const writer = new MetadataWriter(toOneByte);
    expect(writer.position).toEqual({ block: 0, offset: 0 });
    writer.append(Buffer.alloc(METADATA_SIZE - 1));
    expect(writer.position).toEqual({ block: 0, offset: METADATA_SIZE - 1 });
    writer.append(Buffer.alloc(1));
    expect(writer.position).toEqual({ block: 3, offset: 0 });
    writer.append(Buffer.alloc(2 * METADATA_SIZE + 5));
    expect(writer.position).toEqual({ block: 9, offset: 5 });
    expect(Buffer.concat(writer.finish().bytes).toString("hex")).toBe("010007".repeat(4));
  });

  test("keeps what was appended when the buffer is used again", () => {
    const writer = new MetadataWriter(stored);
    writer.append(Buffer.alloc(METADATA_SIZE, 1));
    writer.append(Buffer.alloc(METADATA_SIZE, 2));
    const [, first, , second] = writer.finish().bytes;
    expect([first?.[0], second?.[0]]).toEqual([1, 2]);
  });

  test("an empty stream has no block", () => {
    expect(new MetadataWriter(stored).finish()).toEqual({ bytes: [], size: 0, starts: [] });
  });
});

test("a reference has the block above the offset", () => {
  expect(metadataReference({ block: 0x12345678, offset: 0x1abc })).toBe(0x12345678_1abcn);
});
