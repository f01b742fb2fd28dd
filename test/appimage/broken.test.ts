/** Every line of the checklist that a user can break has a message of its own. */
import { chmodSync, mkdtempSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { ErrorCode } from "../../builder/errors.ts";
import { desktopEntry, png, refused, sample, sampleDir } from "../support/appdir.ts";
import type { Files } from "../support/case.ts";
import { makeElf } from "../support/elf.ts";
import { skipUnless } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const program = (machine: number) => makeElf({ machine });
const x86 = program(62);
const arm = program(183);

/** A desktop entry with a line taken out, or another in its place. */
const without = (line: RegExp, instead = "") => desktopEntry.replace(line, instead);

interface Broken {
  what: string;
  files?: Record<string, Files[string] | null>;
  args?: readonly string[];
  prepare?: (dir: string) => void;
  code: ErrorCode;
  words: RegExp;
}

const executable = (name: string) => (dir: string) => chmodSync(path.join(dir, name), 0o755);
const appRun = executable(`${sampleDir}/AppRun`);

const cases: Broken[] = [
  {
    what: "line 6: no AppRun, and no program that the desktop entry starts",
    files: { AppRun: null },
    code: "E_APPRUN_MISSING",
    words: /starts "sample", which is not there either/,
  },
  {
    what: "line 6: AppRun is a link to nothing",
    files: { AppRun: { link: "usr/bin/gone" } },
    code: "E_APPRUN_MISSING",
    words: /AppRun is a link to nothing/,
  },
  {
    what: "line 6: AppRun is a folder",
    files: { AppRun: null, "AppRun/x": "x" },
    code: "E_APPRUN_MISSING",
    words: /not a file/,
  },
  {
    what: "line 6: AppRun may not run",
    prepare: (dir) => chmodSync(path.join(dir, sampleDir, "AppRun"), 0o644),
    code: "E_APPRUN_NOT_EXECUTABLE",
    words: /found mode 0644\n {2}chmod \+x AppRun/,
  },
  {
    what: "line 6: AppRun for another machine",
    files: { AppRun: arm },
    prepare: appRun,
    args: ["--arch", "x86_64"],
    code: "E_APPRUN_ARCH",
    words: /AppRun: .*expected x86_64, found aarch64\n.*--arch aarch64/s,
  },
  {
    what: "line 6: AppRun is a link to a program for another machine",
    files: { AppRun: { link: "usr/bin/sample" }, "usr/bin/sample": x86 },
    prepare: executable(`${sampleDir}/usr/bin/sample`),
    args: ["--arch", "aarch64"],
    code: "E_APPRUN_ARCH",
    words: /expected aarch64, found x86_64/,
  },
  {
    what: "line 6: all programs are for another machine",
    files: { "usr/bin/one": arm, "usr/lib/two.so": arm },
    prepare: executable(`${sampleDir}/usr/bin/one`),
    args: ["--arch", "x86_64"],
    code: "E_APPDIR_ARCH",
    words: /usr\/bin\/one: .*found aarch64/,
  },
  {
    what: "line 6: two desktop entries",
    files: { "other.desktop": desktopEntry },
    code: "E_DESKTOP_AMBIGUOUS",
    words: /expected exactly one, found other\.desktop, sample\.desktop/,
  },
  {
    what: "line 6: two installed desktop entries and none in the root",
    files: {
      "sample.desktop": null,
      "usr/share/applications/a.desktop": desktopEntry,
      "usr/share/applications/b.desktop": desktopEntry,
    },
    code: "E_DESKTOP_AMBIGUOUS",
    words: /applications\/a\.desktop, .*b\.desktop/,
  },
  {
    what: "line 6: a desktop entry that is a link to nothing",
    files: { "sample.desktop": { link: "usr/share/applications/gone.desktop" } },
    code: "E_DESKTOP_INVALID",
    words: /sample\.desktop.*link to nothing/,
  },
  ...(["Name", "Exec", "Icon", "Categories", "Type"] as const).map(
    (key): Broken => ({
      what: `line 6: a desktop entry without ${key}`,
      files: { "sample.desktop": without(new RegExp(`^${key}=.*\n`, "m")) },
      code: "E_DESKTOP_KEY",
      words: new RegExp(`sample.desktop: its key ${key} is missing.*found no such key`),
    }),
  ),
  {
    what: "line 6: a desktop entry of another type",
    files: { "sample.desktop": without(/Application/, "Link") },
    code: "E_DESKTOP_KEY",
    words: /expected Application, found "Link"/,
  },
  {
    what: "line 6: Icon with an ending",
    files: { "sample.desktop": without(/Icon=sample/, "Icon=sample.png") },
    code: "E_DESKTOP_KEY",
    words: /Icon.*without path and ending, found "sample\.png"/,
  },
  {
    what: "line 6: an unregistered category",
    files: { "sample.desktop": without(/Utility/, "Utility;Gadget") },
    code: "E_DESKTOP_CATEGORY",
    words: /starts with X-, found "Gadget"/,
  },
  {
    what: "line 6: no main category",
    files: { "sample.desktop": without(/Utility/, "Viewer") },
    code: "E_DESKTOP_CATEGORY",
    words: /one of AudioVideo, .*found "Viewer"/,
  },
  {
    what: "line 6: unregistered --categories",
    files: { "sample.desktop": null },
    args: ["--categories", "Gizmos"],
    code: "E_DESKTOP_CATEGORY",
    words: /--categories: .*found "Gizmos"/,
  },
  {
    what: "line 6: a desktop entry that is none",
    files: { "sample.desktop": "Name=Sample\n" },
    code: "E_DESKTOP_INVALID",
    words: /line 1 is neither/,
  },
  {
    what: "line 6: a desktop entry in another encoding",
    files: { "sample.desktop": Buffer.from(`${desktopEntry}Comment=\xe9\n`, "latin1") },
    code: "E_DESKTOP_INVALID",
    words: /no UTF-8/,
  },
  {
    what: "line 6: the icon that the entry names is not there",
    files: { "sample.png": null, ".DirIcon": null },
    code: "E_ICON_MISSING",
    words: /"sample" is not there: expected sample\.png, sample\.svg or sample\.xpm/,
  },
  {
    what: "line 6: an icon that is no image",
    files: { "sample.png": "a text\n" },
    code: "E_ICON_FORMAT",
    words: /sample\.png: .*no image: .*found a file that starts with bytes/,
  },
  {
    what: "line 6: an icon that breaks off",
    files: { "sample.png": null, ".DirIcon": null, "sample.svg": "<svg xmlns='x'><rect" },
    code: "E_ICON_FORMAT",
    words: /sample\.svg: .*cannot be drawn/,
  },
  {
    what: "line 6: an icon of which no PNG can be made",
    files: { "sample.png": null, ".DirIcon": null, "sample.xpm": "/* XPM */\nstatic char *x[]" },
    code: "E_ICON_FORMAT",
    words: /a file of format xpm/,
  },
  {
    what: "line 6: a .DirIcon that is no image",
    files: { ".DirIcon": "sample.png" },
    code: "E_ICON_FORMAT",
    words: /\.DirIcon: .*no image/,
  },
  {
    what: "line 6: --icon that is no image",
    args: ["--icon", "icon.png"],
    files: { "../icon.png": "" },
    code: "E_ICON_FORMAT",
    words: /icon\.png: .*found an empty file/,
  },
  {
    what: "line 6: --icon that is a broken PNG",
    args: ["--icon", "icon.png"],
    files: { "../icon.png": Buffer.concat([png.subarray(0, 20), Buffer.alloc(40, 1)]) },
    code: "E_ICON_FORMAT",
    words: /icon\.png/,
  },
  {
    what: "line 6: metadata that is none",
    files: { "usr/share/metainfo/sample.metainfo.xml": "<html/>" },
    code: "E_APPSTREAM_INVALID",
    words: /no element <component>/,
  },
  {
    what: "line 8: update information of an unknown scheme",
    args: ["--update-info", "bittorrent|https://example.org"],
    code: "E_UPDATE_INFO",
    words: /no scheme "bittorrent": expected zsync\|\.\.\., gh-releases-zsync\|/,
  },
  {
    what: "line 8: update information with too few fields",
    args: ["--update-info", "gh-releases-zsync|me|it"],
    code: "E_UPDATE_INFO",
    words: /expected gh-releases-zsync\|OWNER\|REPOSITORY\|RELEASE\|FILE, for example/,
  },
  {
    what: "line 8: update information that does not fit",
    args: ["--update-info", `zsync|https://example.org/${"x".repeat(1024)}.zsync`],
    code: "E_UPDATE_INFO",
    words: /expected at most 1024 bytes, found 1056 bytes/,
  },
  {
    what: "line 8: nothing to guess update information from",
    args: ["--update-info", "guess"],
    code: "E_UPDATE_INFO",
    words: /expected GITHUB_REPOSITORY, .*none of these/,
  },
];

describe("an AppImage is refused:", () => {
  // Nothing of a real CI may be guessed from.
  const names = ["GITHUB_REPOSITORY", "TRAVIS_REPO_SLUG", "CI_PROJECT_URL"];
  const env = Object.fromEntries(names.map((name) => [name, undefined]));

  test.each(cases)("$what", async ({ files, args, prepare, code, words }) => {
    const dir = sample(files);
    prepare?.(dir);
    expect((await refused(dir, code, args, { env })).stderr).toMatch(words);
  });

  skipUnless("desktopFileValidate")("what only desktop-file-validate finds", async () => {
    const dir = sample({ "sample.desktop": `${desktopEntry}Colour=blue\n` });
    const { stderr } = await refused(dir, "E_DESKTOP_INVALID");
    expect(stderr).toMatch(/desktop-file-validate says: .*"Colour"/);
  });

  skipUnless("appstreamcli")("metadata that appstreamcli does not take", async () => {
    const metainfo = '<component type="desktop-application"><id>x</id></component>\n';
    const dir = sample({ "usr/share/metainfo/sample.appdata.xml": metainfo });
    const { stderr } = await refused(dir, "E_APPSTREAM_INVALID");
    expect(stderr).toMatch(/sample\.appdata\.xml: .*component-name-missing/);
  });

  test("without the checkers, for what the own check finds", async () => {
    const dir = sample({ "other.desktop": desktopEntry });
    const empty = mkdtempSync(path.join(temporaryDirectory(), "bin-"));
    await refused(dir, "E_DESKTOP_AMBIGUOUS", [], { env: { PATH: empty } });
  });
});

describe("options contradict each other:", () => {
  test.each([
    [["--desktop", "x.desktop"], /while the folder has sample\.desktop/],
    [["--entry", "bin/x"], /while the folder has an AppRun/],
    [["--format", "run", "--icon", "x.png"], /--icon without --format appimage/],
    [["--format", "run", "--update-info", "guess"], /--update-info without/],
  ] as const)("%j", async (args, words) => {
    const { stderr, status } = await refused(sample(), "E_OPTION_CONFLICT", args);
    expect(stderr).toMatch(words);
    expect(status).toBe(2);
  });

  test.each([
    [["--format", "deb"], /run or appimage, found "deb"/],
    [["--app-id", "tool"], /org\.example\.App, found "tool"/],
    [["--sign="], /--sign does not take this value/],
  ] as const)("%j is no value", async (args, words) => {
    expect((await refused(sample(), "E_OPTION_VALUE", args)).stderr).toMatch(words);
  });
});
