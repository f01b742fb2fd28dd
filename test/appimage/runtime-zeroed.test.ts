/**
 * AppImages without their magic: users zero bytes 8 to 10, because Docker, qemu's rules of
 * binfmt_misc and others do not start a file that has them.
 */
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { reserveSections } from "../../builder/elf/reserve-sections.ts";
import { appimageFormat } from "../../builder/generated/spec.ts";
import { frontPath } from "../../builder/host/paths.ts";
import { readRuntime } from "../../builder/output/write-bundle.ts";
import { buildSample, headersOf, sample, sampleDir } from "../support/appdir.ts";
import { appDir, appImage, appRun, magic, smallAppDir, variables } from "../support/appimage.ts";
import { mksquashfs, printed, runtimeFile } from "../support/bundle-of.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { pack, start, type Way, ways } from "../support/packed.ts";
import { asUser, bundle, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const update = "zsync|https://example.org/Tool.zsync";
const appFiles = { AppRun: appRun, which: "this one\n" };

/** What everybody writes: `dd if=/dev/zero of=FILE bs=1 seek=8 count=3 conv=notrunc`. */
async function zeroed(file: string): Promise<string> {
  expect(readFileSync(file).subarray(8, 11)).toEqual(magic);
  const args = ["if=/dev/zero", `of=${file}`, "bs=1", "seek=8", "count=3", "conv=notrunc"];
  expect((await run("dd", args)).status).toBe(0);
  expect(readFileSync(file).subarray(8, 11)).toEqual(Buffer.alloc(3));
  return file;
}

const built = () => buildSample(sample(appFiles), ["--update-info", update]);

const foreign = (runtime: string) => () =>
  appImage(path.join(sample(appFiles), sampleDir), {
    runtime,
    sections: { ".upd_info": update },
  });

/** The front as a build makes it ready for an AppImage. */
async function reservedFront(): Promise<string> {
  const file = path.join(temporaryDirectory(), "front");
  const { bytes } = reserveSections(
    await readRuntime(frontPath("x86_64")),
    appimageFormat.reserved,
  );
  writeFileSync(file, bytes);
  return file;
}

/** Another maker's file, behind a front of our builder's. */
async function converted(input: string): Promise<string> {
  const dir = temporaryDirectory();
  const line = ["build", input, "-o", "out.AppImage", "--update-info", update];
  expect(await bundle(line, { cwd: dir })).toMatchObject({ status: 0 });
  return path.join(dir, "out.AppImage");
}

/** As by a tool that aligns the image to a page. */
async function aligned(): Promise<string> {
  const file = await foreign(runtimeFile)();
  const { offset } = await headersOf(file);
  const bytes = readFileSync(file);
  const padding = Buffer.alloc(4096 - (offset % 4096));
  writeFileSync(file, Buffer.concat([bytes.subarray(0, offset), padding, bytes.subarray(offset)]));
  return file;
}

const makers = {
  "of our builder": built,
  "converted from another maker's": async () => converted(await foreign(runtimeFile)()),
  "converted from another maker's without the magic": async () =>
    converted(await zeroed(await foreign(runtimeFile)())),
  "of another maker, around the runner": foreign(runtimeFile),
  "of another maker, around the front": async () => foreign(await reservedFront())(),
  "of another maker, with an aligned image": aligned,
};
type Maker = keyof typeof makers;
const files = new Map<Maker, string>();
beforeAll(async () => {
  if (missing("mksquashfs") !== undefined) return;
  for (const [name, make] of Object.entries(makers)) {
    files.set(name as Maker, await zeroed(await make()));
  }
});

const homeOf = (way: Pick<Way, "root">) => (way.root ? temporaryDirectory() : userDirectory());

describe.each(Object.keys(makers) as Maker[])("an AppImage %s", (maker) => {
  const file = () => files.get(maker) as string;

  describe.each(ways)("$title", (way) => {
    const check = skipUnless(...way.needs, "mksquashfs");

    check("has the variables of an AppImage", async () => {
      const home = homeOf(way);
      const { stdout, stderr } = await start(way, file(), [], home, { cwd: "/usr" });
      expect(stderr).toBe("");
      const found = variables(stdout);
      expect(found).toMatchObject({ APPIMAGE: file(), ARGV0: file(), OWD: "/usr", HOME: home });
      expect(found["APPDIR"]).toMatch(/\/static\/[^/]+$/);
    });
  });

  describe.each([
    ["as root", true, ["root"]],
    ["as a user", false, ["userns"]],
  ] as const)("%s", (_, root, needs) => {
    const check = skipUnless(...needs, "mksquashfs");
    const say = (args: string[], env: Record<string, string> = {}) => {
      const home = homeOf({ root });
      const options = { cwd: home, env: { HOME: home, ...env } };
      return root ? run(file(), args, options) : asUser(file(), args, home, options);
    };

    check("answers the options", async () => {
      const { offset } = await headersOf(file());
      expect(printed(await say(["--appimage-offset"]))).toBe(`${offset}\n`);
      expect(printed(await say(["--appimage-updateinfo"]))).toBe(`${update}\n`);
      expect((await say(["--appimage-help"])).stderr).toContain("--appimage-extract");
      expect(await say(["--appimage-nonsense"])).toMatchObject({ status: 1, stdout: "" });
      expect(printed(await say(["--bundle-info"]))).toMatch(/^entry: +AppRun$/m);
    });

    check("extracts itself", async () => {
      const home = homeOf({ root });
      const args = ["--appimage-extract", "which"];
      const options = { cwd: home, env: { HOME: home } };
      printed(await (root ? run(file(), args, options) : asUser(file(), args, home, options)));
      expect(readFileSync(path.join(home, "squashfs-root/which"), "utf8")).toBe("this one\n");
    });

    check("is extracted and run, by option and by variable", async () => {
      const app = ["sh", "-c", 'cat "$APPDIR/which"; echo "$APPIMAGE"'];
      const debug = { FUSELAGE_DEBUG: "1" };
      const byOption = await say(["--appimage-extract-and-run", ...app], debug);
      const byVariable = await say(app, { APPIMAGE_EXTRACT_AND_RUN: "1", ...debug });
      for (const { status, stdout, stderr } of [byOption, byVariable]) {
        expect({ status, stdout }).toEqual({ status: 0, stdout: `this one\n${file()}\n` });
        expect(stderr).toContain("mounted by extract");
      }
    });

    check("runs what TARGET_APPIMAGE names", async () => {
      const target = await appImage({ ...smallAppDir, which: "other\n" });
      const app = ["sh", "-c", 'cat "$APPDIR/which"; echo "$APPIMAGE $ARGV0"'];
      const out = await say(app, { TARGET_APPIMAGE: target });
      expect(printed(out)).toBe(`other\n${target} ${target}\n`);
      const gone = await say(app, { TARGET_APPIMAGE: "/nonexistent.AppImage" });
      expect(gone).toMatchObject({ status: 127, stdout: "" });
      expect(gone.stderr).toContain("[E_APPIMAGE_TARGET]");
    });
  });

  skipUnless("mksquashfs")("keeps its folders beside it", async () => {
    const copy = path.join(temporaryDirectory(), "Tool.AppImage");
    copyFileSync(file(), copy);
    expect((await run(copy, ["--appimage-portable-home"])).status).toBe(0);
    expect(printed(await run(copy, ["printenv", "HOME"]))).toBe(`${copy}.home\n`);
  });

  skipUnless("mksquashfs")("is an AppImage to the builder too", async () => {
    const shown = JSON.parse(printed(await bundle(["inspect", file(), "--json"])));
    expect(shown.kind).toBe(shown.manifest ? "bundle" : "appimage");
    expect(shown.appImage).toEqual({
      type: 2,
      updateInfo: update,
      desktopFiles: ["sample.desktop"],
    });
    expect((await bundle(["verify", file()])).stderr).toContain("[E_SIGNATURE_MISSING]");
    const dir = temporaryDirectory();
    const made = await bundle(["build", file(), "-o", "app.run"], { cwd: dir });
    expect(made).toMatchObject({ status: 0, stderr: "" });
    const asBundle = printed(await run(path.join(dir, "app.run"), []));
    expect(variables(asBundle)).not.toHaveProperty("APPIMAGE");
    expect(variables(asBundle)["FUSELAGE_BUNDLE"]).toBe(path.join(dir, "app.run"));
  });
});

test("the image of one that was built may be cut off: the status is an AppImage's", async () => {
  const file = await zeroed(await built());
  truncateSync(file, (await headersOf(file)).offset + 200);
  const { status, stderr } = await run(file, []);
  expect(status).toBe(127);
  expect(stderr).toContain("[E_IMAGE_TRUNCATED]");
});

skipUnless("mksquashfs")("a damaged image of another maker is not taken for none", async () => {
  const file = await zeroed(await foreign(runtimeFile)());
  truncateSync(file, (await headersOf(file)).offset + 200);
  const { status, stdout, stderr } = await run(file, ["echo", "runner"]);
  expect({ status: status !== 0, stdout }).toEqual({ status: true, stdout: "" });
  expect(stderr).toMatch(/\[E_IMAGE_(TRUNCATED|CORRUPT)\]/);
});

describe("no AppImage is", () => {
  const asIs = ["--appimage-offset", "--appimage-help", "--appimage-extract-and-run"];

  /** Prints its arguments, and whether it has a variable of an AppImage. */
  const tell = '#!/bin/sh\necho "$*|${APPIMAGE-none}|${FUSELAGE_BUNDLE-none}"\n';
  const expectPlain = async (file: string) => {
    const env = { HOME: temporaryDirectory(), TARGET_APPIMAGE: "/nonexistent.AppImage" };
    for (const option of asIs) {
      expect(printed(await run(file, [option, "x"], { env }))).toBe(`${option} x|none|${file}\n`);
    }
    const shown = JSON.parse(printed(await bundle(["inspect", file, "--json"])));
    expect(shown).toMatchObject({ kind: "bundle" });
    expect(shown).not.toHaveProperty("appImage");
  };

  test("a bundle whose program is called AppRun", async () => {
    await expectPlain(await pack({ AppRun: tell }, { entry: "AppRun" }));
  });

  test("a bundle of a whole AppDir", async () => {
    const dir = sample({ AppRun: tell });
    const line = ["build", sampleDir, "-o", "app.run", "--entry", "AppRun"];
    expect(await bundle(line, { cwd: dir })).toMatchObject({ status: 0 });
    await expectPlain(path.join(dir, "app.run"));
  });

  test("a bundle made of an AppImage", async () => {
    const dir = sample({ AppRun: tell });
    const file = await zeroed(await buildSample(dir));
    expect(await bundle(["build", file, "-o", "app.run"], { cwd: dir })).toMatchObject({
      status: 0,
    });
    await expectPlain(path.join(dir, "app.run"));
  });

  const behind = async (runtime: string) => {
    const file = path.join(temporaryDirectory(), "file");
    const image = await mksquashfs(appDir({ "sub/AppRun": tell, run: tell }), "-all-root");
    const bytes = Buffer.concat([readFileSync(runtime), readFileSync(image)]);
    writeFileSync(file, bytes, { mode: 0o755 });
    return file;
  };

  skipUnless("mksquashfs")("a runner with an image without AppRun: it stays one", async () => {
    const file = await behind(runtimeFile);
    expect(printed(await run(file, ["echo", "runner"]))).toBe("runner\n");
    const shown = JSON.parse(printed(await bundle(["inspect", file, "--json"])));
    expect(shown).toMatchObject({ kind: "elf" });
  });

  skipUnless("mksquashfs")("a front with such an image: it finds no bundle", async () => {
    const { status, stderr } = await run(await behind(frontPath("x86_64")), []);
    expect(status).not.toBe(0);
    expect(stderr).toContain("[E_IMAGE_MISSING]");
  });
});
