/** --appimage-*: what tools ask of any AppImage, in the formats and on the streams they read. */
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { appImage, elfOf, smallAppDir } from "../support/appimage.ts";
import { printed } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { asUser, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const update = "gh-releases-zsync|someone|tool|latest|Tool-*x86_64.AppImage.zsync";
const signature = "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n";
const sections = { ".upd_info": update, ".sha256_sig": signature };
let home: string;
const files = new Map<string, string>();

const makers = ["of another maker", "of our builder"] as const;
beforeAll(async () => {
  home = temporaryDirectory();
  files.set(makers[0], await appImage(smallAppDir, { sections }));
  files.set(makers[1], await appImage(smallAppDir, { sections, manifest: {} }));
});

describe.each(makers)("an AppImage %s", (maker) => {
  const file = () => files.get(maker) as string;
  const say = (...args: string[]) => run(file(), args, { env: { HOME: home } });

  test("--appimage-offset prints the end of the section header table, where the image is", async () => {
    const { status, stdout, stderr } = await say("--appimage-offset");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const { offset, entryBytes, count } = (await elfOf(file())).sectionTable;
    expect(stdout).toBe(`${offset + entryBytes * count}\n`);
    const at = Number(stdout);
    expect(
      readFileSync(file())
        .subarray(at, at + 4)
        .toString(),
    ).toBe("hsqs");
  });

  test("--appimage-version speaks on stderr only", async () => {
    const { status, stdout, stderr } = await say("--appimage-version");
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    expect(stderr).toMatch(/^AppImage runtime version: fuselage \d+\.\d+\.\d+\n$/);
  });

  test("--appimage-help shows every option, its own and a bundle's", async () => {
    const { status, stderr } = await say("--appimage-help");
    expect(status).toBe(0);
    const names = "help extract extract-and-run mount offset portable-home portable-config";
    for (const name of [...names.split(" "), "signature", "updateinfo", "version"]) {
      expect(stderr).toContain(`--appimage-${name}`);
    }
    expect(stderr).toContain("--bundle-info");
    expect(stderr).toContain(file());
  });

  test.each(["updateinfo", "updateinformation"])(
    "--appimage-%s prints the text alone",
    async (o) => {
      expect(printed(await say(`--appimage-${o}`))).toBe(`${update}\n`);
    },
  );

  test("--appimage-signature prints the text alone", async () => {
    expect(printed(await say("--appimage-signature"))).toBe(`${signature}\n`);
  });

  test("options of a bundle work too", async () => {
    expect(printed(await say("--bundle-offset"))).toBe(printed(await say("--appimage-offset")));
    expect(printed(await say("--bundle-info"))).toMatch(/^entry: +AppRun$/m);
  });

  test("options count as the first argument only", async () => {
    expect(printed(await say("echo", "--appimage-help"))).toBe("--appimage-help\n");
    expect(printed(await say("echo", "--bundle-help"))).toBe("--bundle-help\n");
  });

  test("-- first passes everything on", async () => {
    const { stdout } = await say("--", "printf", "<%s>", "--appimage-help", "--");
    expect(stdout).toBe("<--appimage-help><-->");
  });

  test.each([
    ["an unknown option", "--appimage-frobnicate"],
    ["an option in another spelling", "--appimage-Offset"],
    ["nothing behind the prefix", "--appimage-"],
  ])("%s is refused in words, and nothing is run", async (_, option) => {
    const { status, stdout, stderr } = await say(option);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain(`[E_APPIMAGE_OPTION] ${option}: there is no such option`);
    expect(stderr).toContain("--appimage-help lists the options");
  });

  test("the option that is meant is named", async () => {
    for (const [typed, meant] of [
      ["--appimage-exctract", "--appimage-extract"],
      ["--appimage-portable-hom", "--appimage-portable-home"],
      ["--bundle-ofset", "--bundle-offset"],
    ]) {
      const { stderr } = await say(`${typed}`);
      expect(stderr).toContain(`; did you mean ${meant}?\n`);
    }
  });

  test("a closed standard output is a failure", async () => {
    const { status } = await run("sh", ["-c", '"$0" --appimage-offset >/dev/full', file()]);
    expect(status).toBe(1);
  });
});

test("a file without update information or signature prints an empty line for each", async () => {
  const plain = await appImage();
  expect(printed(await run(plain, ["--appimage-updateinfo"]))).toBe("\n");
  expect(printed(await run(plain, ["--appimage-signature"]))).toBe("\n");
});

test("a bundle that is no AppImage passes --appimage-* on", async () => {
  const file = await pack({ AppRun: '#!/bin/sh\necho "app: $*"\n' }, { entry: "AppRun" });
  const ask = (option: string) => run(file, [option], { env: { HOME: home } });
  for (const option of ["--appimage-offset", "--appimage-help", "--appimage-nonsense"]) {
    expect(printed(await ask(option))).toBe(`app: ${option}\n`);
  }
});

describe("portable folders", () => {
  test.each([
    ["home", "HOME"],
    ["config", "XDG_CONFIG_HOME"],
  ])("--appimage-portable-%s makes FILE.%s, which is %s from then on", async (name, variable) => {
    const file = await appImage();
    const folder = `${file}.${name}`;
    const ask = async () =>
      (await run(file, ["printenv", variable], { env: { HOME: home } })).stdout;
    expect(await ask()).not.toContain(folder);
    const { status, stdout, stderr } = await run(file, [`--appimage-portable-${name}`]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    expect(stderr).toBe(`Portable ${name} directory created at ${folder}\n`);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(await ask()).toBe(`${folder}\n`);
    const again = await run(file, [`--appimage-portable-${name}`]);
    expect(again.status).toBe(0);
    expect(again.stderr).toContain("was there before");
  });

  skipUnless("root")("one that cannot be written to does not count", async () => {
    const file = await appImage();
    const user = userDirectory();
    mkdirSync(`${file}.home`, { mode: 0o755 });
    const { stdout } = await asUser(file, ["printenv", "HOME"], user);
    expect(stdout).toBe(`${user}\n`);
  });

  skipUnless("root")("where none can be made the option says so", async () => {
    const file = await appImage();
    const { status, stderr } = await asUser(file, ["--appimage-portable-home"], userDirectory());
    expect(status).toBe(1);
    expect(stderr).toContain(`[E_APPIMAGE_PORTABLE] ${file}.home: Permission denied`);
    expect(existsSync(path.join(`${file}.home`))).toBe(false);
  });
});
