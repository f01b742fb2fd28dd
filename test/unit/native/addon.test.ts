import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  addon,
  fromNative,
  IDENTITY,
  type NativeCompression,
  STATUS,
} from "../../../builder/native/addon.ts";
import { noise, prose } from "../../support/image.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

test("the addon is loaded once", () => {
  expect(addon()).toBe(addon());
});

describe("scanDirectory", () => {
  const scan = (dir: string) => addon().scanDirectory(dir, false, addon().cancellation());

  test("starts with the directory itself", async () => {
    const dir = temporaryDirectory();
    writeFileSync(`${dir}/file`, "12345");
    const { names, status, identities } = await scan(dir);
    expect(names).toEqual(["", "file"]);
    const type = (row: number) => Number(status[row * STATUS.columns + STATUS.mode]) >> 12;
    expect([type(0), type(1)]).toEqual([4, 8]);
    expect(identities[IDENTITY.columns + IDENTITY.size]).toBe(5n);
  });
  test("does not follow a link", async () => {
    const dir = temporaryDirectory();
    mkdirSync(`${dir}/d`);
    symlinkSync("d", `${dir}/link`);
    await expect(scan(`${dir}/link`)).rejects.toMatchObject({ kind: "read", errno: 20 });
    await expect(scan(`${dir}/missing`)).rejects.toMatchObject({
      kind: "read",
      errno: 2,
      path: `${dir}/missing`,
    });
  });
  test("stops when it is cancelled", async () => {
    const cancellation = addon().cancellation();
    addon().cancel(cancellation);
    const scanned = addon().scanDirectory(temporaryDirectory(), false, cancellation);
    await expect(scanned).rejects.toMatchObject({ kind: "aborted" });
  });
});

describe("createCompressor", () => {
  const compressor = (codec: NativeCompression["codec"], level: number) =>
    addon().createCompressor({
      codec,
      level,
      variants: 0,
      dictionary: 131072,
      tag: 0,
      probes: false,
    });

  test("gzip blocks are zlib streams", () => {
    const compress = compressor("gzip", 9);
    for (const seed of ["a", "b"]) {
      const text = prose(8192, seed);
      expect(inflateSync(compress(text) ?? "")).toEqual(text);
    }
  });
  test("zstd blocks say their size and have no checksum", () => {
    const block = compressor("zstd", 15)(prose(8192));
    expect(block?.readUInt32LE(0)).toBe(0xfd2fb528);
    expect((block?.[4] ?? 0) & 0x04).toBe(0);
    expect((block?.[4] ?? 0) & 0x20).toBe(0x20);
  });
  test.each(["zstd", "xz", "gzip", "lz4", "none"] as const)("%s gives up on noise", (codec) => {
    const compress = compressor(codec, 9);
    for (const size of [0, 1, 2, 100, 8192]) expect(compress(noise(size))).toBeNull();
  });
});

describe("fromNative", () => {
  const failure = (kind: string, errno = 0) =>
    fromNative(
      Object.assign(new Error("x"), { kind, errno, step: "it changed", path: "a\nb" }),
      "out",
    );
  test.each([
    ["read", 13, "E_FILE_UNREADABLE", "a\\nb"],
    ["changed", 0, "E_FILE_CHANGED", "a\\nb"],
    ["write", 28, "E_OUTPUT_NO_SPACE", "out"],
    ["write", 5, "E_OUTPUT_FAILED", "out"],
    ["memory", 0, "E_OUT_OF_MEMORY", undefined],
    ["internal", 0, "E_INTERNAL", undefined],
  ])("%s %i is %s", (kind, errno, code, path) => {
    expect(failure(kind, errno)).toMatchObject({ code, ...(path !== undefined && { path }) });
  });
  test("leaves other errors alone", () => {
    const error = new Error("mine");
    expect(fromNative(error)).toBe(error);
  });
});
