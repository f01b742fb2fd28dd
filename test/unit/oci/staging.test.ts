/** Blobs of an image on their way. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { Staging } from "../../../builder/oci/staging.ts";
import { sha256 } from "../../support/image-registry.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

test("a blob has the digest and the size of what was written", async () => {
  const staging = new Staging(temporaryDirectory());
  const { descriptor, region } = await staging.bytes("text/plain", Buffer.from("bytes"));
  expect(descriptor).toEqual({
    mediaType: "text/plain",
    digest: sha256(Buffer.from("bytes")),
    size: 5,
  });
  expect(readFileSync(region.path, "utf8")).toBe("bytes");
});

test("one that cannot be made says where", async () => {
  const folder = temporaryDirectory();
  const staging = new Staging(folder);
  const make = () => staging.bytes("text/plain", Buffer.from("bytes"));
  writeFileSync(path.join(folder, "0"), "somebody's");
  await expect(make()).rejects.toMatchObject({
    code: "E_OUTPUT_FAILED",
    path: path.join(folder, "0"),
  });
  rmSync(folder, { recursive: true });
  await expect(make()).rejects.toMatchObject({ path: path.join(folder, "1") });
});
