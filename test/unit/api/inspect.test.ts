import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { inspect, withImage } from "../../../builder/api/inspect.ts";
import { runtimePath } from "../../../builder/host/paths.ts";
import { packHello } from "../../support/hello.ts";
import { skipUnless } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function plainImage(): Promise<string> {
  const bundle = await packHello();
  const { imageOffset } = await inspect(bundle);
  const file = path.join(temporaryDirectory(), "image");
  writeFileSync(file, readFileSync(bundle).subarray(imageOffset));
  return file;
}

describe("a file is", () => {
  test("a bundle when it has a manifest", async () => {
    expect(await inspect(await packHello({ arch: "aarch64" }))).toMatchObject({
      kind: "bundle",
      arch: "aarch64",
      manifest: { name: "hello", entry: "bin/hello" },
    });
  });

  test("an image when it starts with one", async () => {
    const inspection = await inspect(await plainImage());
    expect(inspection).toMatchObject({ kind: "image", arch: undefined, imageOffset: 0 });
  });

  test("an AppImage when it has the mark and no manifest", async () => {
    const runtime = readFileSync(runtimePath("x86_64"));
    runtime.write("AI\x02", 8, "latin1");
    const padding = Buffer.alloc((4096 - (runtime.length % 4096)) % 4096);
    const file = path.join(temporaryDirectory(), "Some.AppImage");
    writeFileSync(file, Buffer.concat([runtime, padding, readFileSync(await plainImage())]));
    expect(await inspect(file)).toMatchObject({ kind: "appimage", manifest: undefined });
    await withImage(file, async (_, image) => {
      expect((await image.list()).map((entry) => entry.path)).toContain("bin/hello");
    });
  });
});

describe("a file is refused", () => {
  test("at whatever byte it was cut", async () => {
    const bundle = await packHello();
    const { size, imageOffset } = await inspect(bundle);
    const expected = (left: number) => {
      if (left < 4) return "E_ELF_UNSUPPORTED";
      if (left < imageOffset) return "E_ELF_MALFORMED";
      return left < imageOffset + 4 ? "E_IMAGE_MISSING" : "E_IMAGE_TRUNCATED";
    };
    const some = Array.from({ length: 100 }, (_, index) => Math.floor((size * index) / 100));
    const edges = [3, 4, 63, 64, imageOffset - 1, imageOffset, imageOffset + 4, size - 1];
    const cut = path.join(temporaryDirectory(), "cut");
    for (const left of [...some, ...edges]) {
      copyFileSync(bundle, cut);
      truncateSync(cut, left);
      await expect(inspect(cut), `${left}`).rejects.toMatchObject({ code: expected(left) });
    }
  });

  test("when its superblock is damaged", async () => {
    const bundle = await packHello();
    const { imageOffset } = await inspect(bundle);
    // Field block_log, which no longer fits the block size.
    writeSync(openSync(bundle, "r+"), Buffer.from([3, 0]), 0, 2, imageOffset + 22);
    await expect(inspect(bundle)).rejects.toMatchObject({ code: "E_IMAGE_CORRUPT", path: bundle });
  });

  skipUnless("strip")("when it was stripped, with the reason in the hint", async () => {
    const bundle = await packHello();
    execFileSync("strip", [bundle]);
    await expect(inspect(bundle)).rejects.toMatchObject({
      code: "E_IMAGE_MISSING",
      hint: expect.stringContaining("never strip"),
    });
  });

  test("when it is the runtime alone", async () => {
    await expect(inspect(runtimePath("x86_64"))).rejects.toMatchObject({ code: "E_IMAGE_MISSING" });
  });
});
