import { readFileSync, truncateSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { assembleBundle } from "../../../builder/api/assemble.ts";
import { inspect } from "../../../builder/api/inspect.ts";
import { ownImage, packApp } from "../../support/archive.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function prepared() {
  const dir = temporaryDirectory();
  await packApp(dir);
  return {
    archive: path.join(dir, "app.sfs"),
    output: path.join(dir, "out.run"),
    invocation: ownImage,
  };
}

test("the result tells what the file holds", async () => {
  const options = await prepared();
  const result = await assembleBundle(options);
  const archive = readFileSync(options.archive);
  const bytes = readFileSync(options.output);
  expect(result).toMatchObject({
    output: options.output,
    size: bytes.length,
    image: { compression: "zstd", fileBytes: archive.length, paddedBytes: archive.length },
  });
  expect(bytes.subarray(result.imageOffset).equals(archive)).toBe(true);
  const inspection = await inspect(options.output);
  expect(inspection).toMatchObject({ kind: "bundle", imageOffset: result.imageOffset });
  expect(inspection.manifest).toEqual(result.manifest);
});

test("an image that is not padded is, and its size in the manifest is the padded one", async () => {
  const options = await prepared();
  const { bytes } = (await assembleBundle(options)).image;
  truncateSync(options.archive, bytes);
  const { image, manifest, size, imageOffset } = await assembleBundle(options);
  expect(image).toMatchObject({ fileBytes: bytes, paddedBytes: 4096 });
  expect([manifest.imageSize, size]).toEqual([4096, imageOffset + 4096]);
  const padding = readFileSync(options.output).subarray(imageOffset + bytes);
  expect(padding.every((byte) => byte === 0)).toBe(true);
});

test("an image that lacks its last byte is refused", async () => {
  const options = await prepared();
  const { bytes } = (await assembleBundle(options)).image;
  truncateSync(options.archive, bytes - 1);
  const code = "E_IMAGE_TRUNCATED";
  await expect(assembleBundle(options)).rejects.toMatchObject({
    code,
    actual: `${bytes - 1} bytes`,
  });
});
