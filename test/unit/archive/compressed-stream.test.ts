import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { compressedStream } from "../../../builder/archive/compressed-stream.ts";
import { decompressed } from "../../../builder/input/tar/decompress.ts";
import { noise, prose } from "../../support/image.ts";

async function* pieces(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

const sizes = [1, 65_535, (1 << 20) - 1, 1 << 20, (4 << 20) + 5];

for (const codec of ["gzip", "zstd"] as const) {
  describe(codec, () => {
    for (const size of sizes) {
      test(`${size} bytes come back, of what shrinks and of what does not`, async () => {
        for (const bytes of [prose(size), noise(size)]) {
          const made = await collect(compressedStream(pieces(bytes, 100_000), codec));
          const head = made.subarray(0, 16);
          const back = await collect(decompressed(head, pieces(made.subarray(16), 7919), "test"));
          expect(back.equals(bytes)).toBe(true);
        }
      });
    }

    test("the pieces in which the bytes come change nothing", async () => {
      const bytes = prose(3 << 20);
      const [a, b] = await Promise.all(
        [1 << 20, 4093].map((size) => collect(compressedStream(pieces(bytes, size), codec))),
      );
      expect(a?.equals(b as Buffer)).toBe(true);
      expect(a?.length).toBeLessThan(bytes.length / 2);
    });
  });
}

test("members of gzip are one stream to zlib too", async () => {
  const bytes = Buffer.concat([prose(1_500_000), noise(900_000)]);
  const made = await collect(compressedStream(pieces(bytes, 65_536), "gzip"));
  expect(gunzipSync(made).equals(bytes)).toBe(true);
});

test("an abort ends it", async () => {
  const abort = new AbortController();
  abort.abort(new Error("enough"));
  const stream = compressedStream(pieces(noise(8 << 20), 1 << 20), "gzip", abort.signal);
  await expect(collect(stream)).rejects.toThrow("enough");
});
