/** Images of others, and AppImages of ours, become bundles and AppImages byte for byte. */
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import {
  buildSample,
  desktopEntry,
  headersOf,
  sample,
  sampleDir,
  unpacked,
} from "../support/appdir.ts";
import { snapshot } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, bundle, fuselage, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

/** As appimagetool does it: a runtime, its mark, and mksquashfs's image right behind the ELF. */
async function byAppimagetool(dir: string, codec: string, name = "theirs.AppImage") {
  const image = path.join(dir, "image.sfs");
  const source = path.join(dir, sampleDir);
  execFileSync("mksquashfs", [
    source,
    image,
    "-quiet",
    "-no-progress",
    "-comp",
    codec,
    "-root-owned",
  ]);
  const runtime = readFileSync(fuselage);
  Buffer.from("AI\x02", "latin1").copy(runtime, 8);
  const file = path.join(dir, name);
  writeFileSync(file, Buffer.concat([runtime, readFileSync(image)]));
  chmodSync(file, 0o755);
  return { file, image: readFileSync(image) };
}

async function imageOf(file: string): Promise<Buffer> {
  return readFileSync(file).subarray((await headersOf(file)).offset);
}

describe.each(["gzip", "zstd"])("an AppImage of another tool, %s", (codec) => {
  skipUnless("mksquashfs")("becomes a bundle with the same image", async () => {
    const dir = sample();
    const { file, image } = await byAppimagetool(dir, codec);
    const outcome = await bundle(["build", file, "-o", "x.run"], { cwd: dir });
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    expect(outcome.stdout).toContain("kind: image (appimage, at byte");
    const bytes = await imageOf(path.join(dir, "x.run"));
    expect(bytes.length % 4096).toBe(0);
    expect(bytes.subarray(0, image.length).equals(image)).toBe(true);
    const home = userDirectory();
    const started = await asUser(path.join(dir, "x.run"), ["a b"], home);
    expect(started).toMatchObject({ status: 0, stdout: "sample: a b\n" });
  });

  skipUnless("mksquashfs")("becomes an AppImage of ours with the same image", async () => {
    const dir = sample();
    const { file, image } = await byAppimagetool(dir, codec);
    const outcome = await bundle(["build", file, "-o", "ours.AppImage"], { cwd: dir });
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    const bytes = await imageOf(path.join(dir, "ours.AppImage"));
    expect(bytes.subarray(0, image.length).equals(image)).toBe(true);
  });

  skipUnless("mksquashfs", "unsquashfs")("is inspected and extracted", async () => {
    const dir = sample();
    const { file } = await byAppimagetool(dir, codec);
    const { stdout } = await bundle(["inspect", file, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "appimage",
      appImage: { type: 2, updateInfo: "", desktopFiles: ["sample.desktop"] },
      image: { compression: codec },
    });
    const out = path.join(dir, "out");
    expect(await bundle(["extract", file, "-d", out])).toMatchObject({ status: 0 });
    const kept = Object.keys(snapshot(path.join(dir, sampleDir)));
    expect(Object.keys(snapshot(out))).toEqual(kept);
  });
});

describe("an image", () => {
  skipUnless("mksquashfs")("alone becomes a bundle", async () => {
    const dir = sample();
    await byAppimagetool(dir, "gzip");
    const outcome = await bundle(["build", "image.sfs", "-o", "x.run"], { cwd: dir });
    expect(outcome).toMatchObject({ status: 0 });
    expect((await run(path.join(dir, "x.run"), ["1"])).stdout).toBe("sample: 1\n");
  });

  skipUnless("mksquashfs")("is packed again when an option asks for it", async () => {
    const dir = sample();
    const { file } = await byAppimagetool(dir, "gzip");
    const again = ["build", file, "-o", "x.run", "--compression", "zstd:3", "--exclude", "*.png"];
    expect(await bundle(again, { cwd: dir })).toMatchObject({ status: 0 });
    const { stdout } = await bundle(["inspect", "x.run", "--json", "--list"], { cwd: dir });
    const shown = JSON.parse(stdout);
    expect(shown.image.compression).toBe("zstd");
    const names = shown.entries.map((entry: { path: string }) => entry.path);
    expect(names).toEqual(["", ".DirIcon", "AppRun", "sample.desktop"]);
    expect((await run(path.join(dir, "x.run"), ["1"])).stdout).toBe("sample: 1\n");
  });

  skipUnless("mksquashfs", "unsquashfs")(
    "is packed again when an AppImage needs more",
    async () => {
      const dir = sample({ ".DirIcon": null });
      const { file } = await byAppimagetool(dir, "gzip");
      const outcome = await bundle(["build", file, "-o", "ours.AppImage"], { cwd: dir });
      expect(outcome.status).toBe(0);
      expect(outcome.stderr).toContain("warning: the image is packed again, with .DirIcon");
      const root = await unpacked(path.join(dir, "ours.AppImage"));
      const [icon, shown] = ["sample.png", ".DirIcon"].map((name) =>
        readFileSync(path.join(root, name)),
      );
      expect(icon?.equals(shown as Buffer)).toBe(true);
    },
  );

  skipUnless("mksquashfs")("that is no AppDir is refused as an AppImage", async () => {
    const dir = sample({ "other.desktop": desktopEntry });
    const { file } = await byAppimagetool(dir, "gzip");
    const outcome = await bundle(["build", file, "-o", "ours.AppImage"], { cwd: dir });
    expect(outcome.stderr).toContain("[E_DESKTOP_AMBIGUOUS]");
  });

  skipUnless("mksquashfs")("is explained, and takes no options for making an app", async () => {
    const dir = sample();
    const { file } = await byAppimagetool(dir, "gzip");
    const { stdout } = await bundle(["build", file, "--explain", "--json"], { cwd: dir });
    expect(JSON.parse(stdout)).toMatchObject({ kind: "image", entry: "AppRun", files: 4 });
    for (const option of ["--kind=plain", "--with-libs", "--lib=libz.so.1"]) {
      const outcome = await bundle(["build", file, "-o", "x.run", option], { cwd: dir });
      expect(outcome.stderr).toContain("[E_OPTION_CONFLICT]");
    }
  });

  test("of an AppImage of type 1 is none that we read", async () => {
    const dir = sample();
    const file = path.join(dir, "one.AppImage");
    const runtime = readFileSync(fuselage);
    Buffer.from("AI\x01", "latin1").copy(runtime, 8);
    writeFileSync(file, Buffer.concat([runtime, Buffer.alloc(32769), Buffer.from("CD001")]));
    const outcome = await bundle(["build", file, "-o", "x.run"], { cwd: dir });
    expect(outcome.stderr).toMatch(/\[E_IMAGE_UNSUPPORTED\] .*AppImage of type 1/);
  });

  skipUnless("mksquashfs")("starts what --entry says, unless AppRun must", async () => {
    const dir = sample({ "bin/other": '#!/bin/sh\necho "other: $*"\n' });
    const { file } = await byAppimagetool(dir, "gzip");
    const made = ["build", file, "-o", "x.run", "--entry", "bin/other"];
    expect(await bundle(made, { cwd: dir })).toMatchObject({ status: 0 });
    expect((await run(path.join(dir, "x.run"), ["1"])).stdout).toBe("other: 1\n");
    const line = ["build", file, "-o", "x.AppImage", "--entry", "bin/other"];
    expect((await bundle(line, { cwd: dir })).stderr).toContain("[E_OPTION_CONFLICT]");
  });

  skipUnless("mksquashfs")("without a program asks for one", async () => {
    const dir = sample({ AppRun: null });
    const { file } = await byAppimagetool(dir, "gzip");
    const none = await bundle(["build", file, "-o", "x.run"], { cwd: dir });
    expect(none.stderr).toContain("[E_ENTRY_NONE]");
    const gone = await bundle(["build", file, "-o", "x.run", "--entry", "bin/x"], { cwd: dir });
    expect(gone.stderr).toContain("[E_ENTRY_MISSING]");
  });
});

describe("an AppImage of ours", () => {
  test("becomes a bundle that starts with the same arguments and variables", async () => {
    const dir = sample({ AppRun: '#!/bin/sh\necho "$A $*"\n' });
    const file = await buildSample(dir, ["--arg=first", "--env", "A=value", "--arch", "x86_64"]);
    const result = await build({ input: file, output: path.join(dir, "x.run") });
    expect(result).toMatchObject({
      kind: "image",
      manifest: { entry: "AppRun", args: ["first"], env: ["A=value"], arch: "x86_64" },
    });
    expect((await imageOf(file)).equals(await imageOf(result.output))).toBe(true);
    if (process.arch === "x64") {
      expect((await run(result.output, ["last"])).stdout).toBe("value first last\n");
    }
  });

  test("keeps its machine", async () => {
    const dir = sample();
    const file = await buildSample(dir, ["--arch", "aarch64"]);
    const { manifest } = await build({ input: file, output: path.join(temporaryDirectory(), "x") });
    expect(manifest.arch).toBe("aarch64");
  });

  test("that is cut short is refused", async () => {
    const dir = sample();
    const file = await buildSample(dir);
    const bytes = readFileSync(file);
    const { offset } = await headersOf(file);
    for (const [end, code] of [
      [offset, "E_IMAGE_MISSING"],
      [offset + 200, "E_IMAGE_TRUNCATED"],
    ] as const) {
      writeFileSync(file, bytes.subarray(0, end));
      const outcome = await bundle(["build", file, "-o", "x.run"], { cwd: dir });
      expect(outcome.stderr).toContain(`[${code}]`);
    }
  });

  test("is not replaced by what is made of it", async () => {
    const dir = sample();
    await buildSample(dir);
    const outcome = await bundle(["build", "out.AppImage", "-o", "out.AppImage"], { cwd: dir });
    expect(outcome.stderr).toContain("[E_OUTPUT_INSIDE_INPUT]");
  });
});
