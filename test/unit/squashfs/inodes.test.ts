import { describe, expect, test } from "vitest";
import { NONE } from "../../../builder/native/addon.ts";
import {
  encodeDevice,
  encodeDirectory,
  encodeFile,
  encodeSpecial,
  encodeSymlink,
  type FileLayout,
} from "../../../builder/squashfs/inodes.ts";
import { NO_XATTRS } from "../../../builder/squashfs/xattrs.ts";

const header = {
  mode: 0o4755,
  uid: 1,
  gid: 2,
  mtime: 0x11223344,
  number: 9,
  links: 1,
  xattrs: NO_XATTRS,
};
const head = (type: string) => `${type}ed09010002004433221109000000`;
const file: FileLayout = {
  size: 300,
  start: 0x60,
  blocks: Uint32Array.of(0x1000010, 0),
  sparse: 0,
  fragment: NONE,
  fragmentOffset: NONE,
};

describe("a file", () => {
  test("has the basic form", () => {
    expect(encodeFile(header, file).toString("hex")).toBe(
      `${head("0200")}60000000ffffffff000000002c0100001000000100000000`,
    );
  });
  test.each([
    ["an attribute", { xattrs: 0 }, {}],
    ["two names", { links: 2 }, {}],
    ["a hole", {}, { sparse: 1 }],
    ["more than 4 GiB", {}, { size: 2 ** 32 }],
    ["blocks beyond 4 GiB", {}, { start: 2 ** 32 }],
  ])("with %s has the extended form", (_, extraHeader, extraFile) => {
    const bytes = encodeFile({ ...header, ...extraHeader }, { ...file, ...extraFile });
    expect(bytes.readUInt16LE(0)).toBe(9);
    expect(bytes.length).toBe(56 + 8);
  });
  test("says where its fragment is", () => {
    const bytes = encodeFile(header, { ...file, fragment: 3, fragmentOffset: 77 });
    expect([bytes.readUInt32LE(20), bytes.readUInt32LE(24)]).toEqual([3, 77]);
  });
  test("has 64 bits for what needs them", () => {
    const large = { ...file, size: 2 ** 33 + 1, start: 2 ** 34 + 2, sparse: 2 ** 32 + 3 };
    const bytes = encodeFile(header, large);
    expect(bytes.readBigUInt64LE(16)).toBe(2n ** 34n + 2n);
    expect(bytes.readBigUInt64LE(24)).toBe(2n ** 33n + 1n);
    expect(bytes.readBigUInt64LE(32)).toBe(2n ** 32n + 3n);
  });
});

describe("a directory", () => {
  const listing = { position: { block: 0x55, offset: 0x66 }, size: 3, index: [] };
  test("has the basic form", () => {
    expect(encodeDirectory({ ...header, links: 2 }, listing, 0x77).toString("hex")).toBe(
      `${head("0100")}55000000020000000300660077000000`,
    );
  });
  test("has the extended form for a large listing, with its index", () => {
    const index = [{ listingOffset: 0x2000, block: 0x1234, name: "ab" }];
    const bytes = encodeDirectory(header, { ...listing, size: 0x12345, index }, 0x77);
    expect(bytes.toString("hex")).toBe(
      `${head("0800")}010000004523010055000000770000000100` +
        "6600ffffffff" +
        "00200000341200000100000061" +
        "62",
    );
  });
  test("takes the size of a listing in 16 bits, counting two dots", () => {
    expect(encodeDirectory(header, { ...listing, size: 0xffff }, 1).readUInt16LE(0)).toBe(1);
    expect(encodeDirectory(header, { ...listing, size: 0x10000 }, 1).readUInt16LE(0)).toBe(8);
  });
});

test("a symbolic link has its target, and then its attributes", () => {
  expect(encodeSymlink(header, "to").toString("hex")).toBe(`${head("0300")}0100000002000000746f`);
  expect(encodeSymlink({ ...header, xattrs: 5 }, "to").toString("hex")).toBe(
    `${head("0a00")}0100000002000000746f05000000`,
  );
});

test("a device has the kernel's number", () => {
  const node = {
    ...header,
    xattrs: [],
    kind: "block-device" as const,
    major: 0x123,
    minor: 0x45678,
  };
  expect(encodeDevice(header, node).readUInt32LE(20)).toBe(0x45612378);
  const largest = { ...node, major: 0xfff, minor: 0xfffff };
  expect(encodeDevice(header, largest).readUInt32LE(20)).toBe(0xffffffff);
  expect(encodeDevice(header, { ...node, kind: "character-device" }).readUInt16LE(0)).toBe(5);
  expect(encodeDevice({ ...header, xattrs: 1 }, node).readUInt16LE(0)).toBe(11);
});

test("fifos and sockets are little more than a header", () => {
  expect(encodeSpecial(header, "fifo").toString("hex")).toBe(`${head("0600")}01000000`);
  expect(encodeSpecial({ ...header, xattrs: 1 }, "socket").readUInt16LE(0)).toBe(14);
});
