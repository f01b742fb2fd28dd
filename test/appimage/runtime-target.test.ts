/**
 * TARGET_APPIMAGE: a runtime that stands for another file. AppImageLauncher runs a copy of the
 * bytes before the image, from memory and without the magic, by a rule of binfmt_misc.
 */
import { copyFileSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { appImage, compileHelper, smallAppDir, variables } from "../support/appimage.ts";
import { printed, runtimeFile } from "../support/bundle-of.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { asUser, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let one: string;
let other: string;
let manifested: string;
let launcher: string;
beforeAll(async () => {
  one = await appImage({ ...smallAppDir, which: "one\n" }, { name: "one.AppImage" });
  const sections = { ".upd_info": "zsync|https://example.org/other.zsync" };
  other = await appImage(
    { ...smallAppDir, which: "other\n" },
    { name: "other.AppImage", sections },
  );
  manifested = await appImage({ ...smallAppDir, which: "manifested\n" }, { manifest: {} });
  if (missing("gcc") === undefined) launcher = compileHelper("support/launcher.c");
});

const which = ["sh", "-c", 'cat "$APPDIR/which"'];

describe("TARGET_APPIMAGE", () => {
  const ask = (target: string, args: string[], cwd?: string) =>
    run(one, args, {
      env: { HOME: temporaryDirectory(), TARGET_APPIMAGE: target },
      ...(cwd !== undefined && { cwd }),
    });

  test("names the file that is run, and that the app sees", async () => {
    expect(printed(await ask(other, which))).toBe("other\n");
    const found = variables(printed(await ask(other, [])));
    expect(found).toMatchObject({ APPIMAGE: other, ARGV0: other });
    expect(found).not.toHaveProperty("TARGET_APPIMAGE");
  });

  test("may be relative and a link: APPIMAGE is the real path", async () => {
    const dir = temporaryDirectory();
    symlinkSync(other, path.join(dir, "link"));
    const found = variables(printed(await ask("link", [], dir)));
    expect(found).toMatchObject({ APPIMAGE: other, ARGV0: "link", OWD: dir });
  });

  test("is what options are about", async () => {
    expect(printed(await ask(other, ["--appimage-updateinfo"]))).toBe(
      "zsync|https://example.org/other.zsync\n",
    );
    const offset = printed(await ask(manifested, ["--appimage-offset"]));
    expect(offset).toBe(printed(await run(manifested, ["--appimage-offset"])));
    expect(offset).not.toBe(printed(await run(one, ["--appimage-offset"])));
    const cwd = temporaryDirectory();
    printed(await ask(other, ["--appimage-extract", "which"], cwd));
    expect(readFileSync(path.join(cwd, "squashfs-root/which"), "utf8")).toBe("other\n");
  });

  test("empty, it names nothing", async () => {
    expect(printed(await ask("", which))).toBe("one\n");
  });

  test.each([
    ["is missing", () => "/nonexistent.AppImage", /\[E_APPIMAGE_TARGET\] TARGET_APPIMAGE=\/nonex/],
    ["is a folder", () => temporaryDirectory(), /\[E_ELF_MALFORMED\]/],
    [
      "is no ELF file",
      () => path.join(import.meta.dirname, "../support/launcher.c"),
      /\[E_ELF_MALFORMED\]/,
    ],
    ["holds no image", () => runtimeFile, /\[E_IMAGE_MISSING\]/],
  ])("a file that %s: exit status 127, in words", async (_, make, words) => {
    const { status, stdout, stderr } = await ask(make(), which);
    expect({ status, stdout }).toEqual({ status: 127, stdout: "" });
    expect(stderr).toMatch(words);
  });

  test("means nothing to a bundle that is no AppImage, nor to the runner", async () => {
    const env = { HOME: temporaryDirectory(), TARGET_APPIMAGE: other };
    const bundle = await pack({ run: '#!/bin/sh\necho "$FUSELAGE_BUNDLE"\n' });
    expect(printed(await run(bundle, [], { env }))).toBe(`${bundle}\n`);
    expect(printed(await run(runtimeFile, ["echo", "runner"], { env }))).toBe("runner\n");
  });

  skipUnless("root")("means nothing to a setuid-root file", async () => {
    const dir = temporaryDirectory();
    const file = path.join(dir, "setuid.AppImage");
    copyFileSync(one, file);
    expect((await run("chmod", ["4755", file])).status).toBe(0);
    const env = { TARGET_APPIMAGE: other };
    expect(printed(await asUser(file, which, userDirectory(), { env }))).toBe("one\n");
  });
});

describe("from memory, as AppImageLauncher does it", () => {
  const ask = (file: string, args: string[], home: string, user: boolean) =>
    user
      ? asUser(launcher, [file, ...args], home)
      : run(launcher, [file, ...args], { env: { HOME: home } });

  describe.each([
    ["as root", false],
    ["as a user", true],
  ] as const)("%s", (_, user) => {
    const check = user ? skipUnless("gcc", "fuse", "userns") : skipUnless("gcc", "root");
    const home = () => (user ? userDirectory() : temporaryDirectory());

    check("the app runs from the file, not from the copy", async () => {
      for (const [file, says] of [
        [other, "other\n"],
        [manifested, "manifested\n"],
      ] as const) {
        expect(printed(await ask(file, which, home(), user))).toBe(says);
        const found = variables(printed(await ask(file, [], home(), user)));
        expect(found).toMatchObject({ APPIMAGE: file, ARGV0: file });
        expect(found).not.toHaveProperty("TARGET_APPIMAGE");
      }
    });

    check("options and failures are an AppImage's", async () => {
      const help = await ask(other, ["--appimage-help"], home(), user);
      expect(help.stderr).toContain("--appimage-extract");
      const bad = await ask(other, ["--appimage-nonsense"], home(), user);
      expect({ status: bad.status, stdout: bad.stdout }).toEqual({ status: 1, stdout: "" });
      const cwd = home();
      const args = [other, "--appimage-extract", "which"];
      const out = user
        ? await asUser(launcher, args, cwd, { cwd })
        : await run(launcher, args, { cwd });
      expect(printed(out)).toBe("");
      expect(readFileSync(path.join(cwd, "squashfs-root/which"), "utf8")).toBe("other\n");
    });

    check("extracted too", async () => {
      const args = ["--appimage-extract-and-run", ...which];
      expect(printed(await ask(other, args, home(), user))).toBe("other\n");
    });

    check("portable folders are those beside the file", async () => {
      const file = path.join(home(), "portable.AppImage");
      copyFileSync(other, file);
      const made = await ask(file, ["--appimage-portable-home"], home(), user);
      expect(made.status).toBe(0);
      expect(variables(printed(await ask(file, [], home(), user)))["HOME"]).toBe(`${file}.home`);
    });
  });

  const rule = ":appimage:M:8:AI\\x02::";
  const inNamespace = (script: string, ...args: string[]) => [
    ...["--user", "--map-root-user", "--mount", "sh", "-c"],
    `mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && ${script}`,
    ...args,
  ];

  skipUnless("gcc", "binfmt")("by a rule of binfmt_misc", async () => {
    const dir = path.join(temporaryDirectory(), "with space");
    mkdirSync(dir);
    const file = path.join(dir, "My.AppImage");
    copyFileSync(other, file);
    const script = `printf '%s' '${rule}${launcher}:' > /proc/sys/fs/binfmt_misc/register && exec "$@"`;
    const options = { env: { HOME: temporaryDirectory() } };
    const args = inNamespace(script, "sh", file);
    const found = variables(printed(await run("unshare", args, options)));
    expect(found).toMatchObject({ APPIMAGE: file });
    const said = await run("unshare", inNamespace(script, "sh", file, ...which), options);
    expect(printed(said)).toBe("other\n");
  });
});
