/** --appimage-extract [PATTERN]: squashfs-root, as the runtime of AppImage makes it. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { appDir, appImage, appRun, compileHelper, smallAppDir } from "../support/appimage.ts";
import { printed } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const tree = {
  AppRun: appRun,
  "a.desktop": "a",
  ".DirIcon": "icon",
  "usr/a.desktop": "b",
  "usr/bin/[x]": "c",
  "usr/bin/x-1": "d",
  "usr/bin/x-2": "e",
  "usr/lib/libé.so": "f",
  "usr/lib/back\\slash": "g",
  "usr/lib/deep/er/libz.so.1": "h",
  "usrx/f": "i",
  "empty/": { folder: true as const },
};

let file: string;
beforeAll(async () => {
  file = await appImage(tree);
});

/** Every path below a folder. */
function below(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();
}

async function extract(args: string[], cwd = temporaryDirectory()): Promise<string> {
  printed(await run(file, ["--appimage-extract", ...args], { cwd }));
  expect(readdirSync(cwd)).toEqual(["squashfs-root"]);
  return path.join(cwd, "squashfs-root");
}

test("without a pattern everything is there", async () => {
  expect(below(await extract([]))).toEqual(below(appDir(tree)));
});

const patterns = [
  "*",
  "*.desktop",
  "usr",
  "usr/*",
  "usr/*/*",
  "usr/bin/x-?",
  "usr/bin/x-[0-1]",
  "usr/bin/x-[!1]",
  "usr/bin/[[]x]",
  "usr/bin/\\[x\\]",
  "usr/lib/lib?.so",
  "usr/lib/*.so",
  "*/a.desktop",
  ".*",
  "?*",
  "usr/lib/back\\\\slash",
  "usr/lib/back\\slash",
  "nothing",
  "",
  "/usr",
  "usr/",
  "usr/bin/[",
  "us?",
  "usr/lib/d*/e*",
  "*z*",
  "[a-u]*",
  "[!a-z]*",
  "usr/lib/deep/er/libz.so.1",
  "*a*s*o*",
  "usr*",
  "usr/bin/x-[]1]",
  "usr/bin/x-[1",
  "**",
  "u*r/b*n/x*2",
  "empty",
  "*r/*p",
];

skipUnless("gcc")("patterns choose what fnmatch(3) chooses", async () => {
  const oracle = compileHelper("support/fnmatch.c");
  const paths = below(appDir(tree));
  for (const pattern of patterns) {
    const chosen = execFileSync(oracle, [pattern, ...paths], { encoding: "utf8" })
      .split("\n")
      .filter((line) => line !== "");
    // What is chosen needs its folders.
    const wanted = new Set(
      chosen.flatMap((name) => {
        const parts = name.split("/");
        return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
      }),
    );
    expect({ pattern, found: below(await extract([pattern])) }).toEqual({
      pattern,
      found: [...wanted].sort(),
    });
  }
});

test("several patterns give what any of them chooses", async () => {
  expect(below(await extract(["*.desktop", ".DirIcon"]))).toEqual([".DirIcon", "a.desktop"]);
});

test("a pattern that no time is enough for ends", async () => {
  expect(below(await extract([`${"*a".repeat(40)}b`]))).toEqual([]);
});

describe("into a squashfs-root that is there already", () => {
  test("what is new joins what is there, and replaces what has its name", async () => {
    const cwd = temporaryDirectory();
    await extract(["*.desktop"], cwd);
    const dir = path.join(cwd, "squashfs-root");
    writeFileSync(path.join(dir, "a.desktop"), "changed and longer");
    writeFileSync(path.join(dir, "mine"), "mine");
    await extract(["usr/bin"], cwd);
    await extract([], cwd);
    expect(below(dir)).toEqual([...below(appDir(tree)), "mine"].sort());
    expect(readFileSync(path.join(dir, "a.desktop"), "utf8")).toBe("a");
    expect(readFileSync(path.join(dir, "mine"), "utf8")).toBe("mine");
  });

  test("links in it are replaced, never followed", async () => {
    const cwd = temporaryDirectory();
    const victim = temporaryDirectory();
    writeFileSync(path.join(victim, "a.desktop"), "mine");
    mkdirSync(path.join(cwd, "squashfs-root"));
    symlinkSync(path.join(victim, "a.desktop"), path.join(cwd, "squashfs-root/a.desktop"));
    symlinkSync(victim, path.join(cwd, "squashfs-root/usr"));
    const { status, stderr } = await run(file, ["--appimage-extract"], { cwd });
    expect(status).toBe(1);
    expect(stderr).toMatch(/\[E_EXTRACT_FAILED\] squashfs-root: usr: Not a directory/);
    expect(readdirSync(victim)).toEqual(["a.desktop"]);
    expect(readFileSync(path.join(victim, "a.desktop"), "utf8")).toBe("mine");
    expect(readdirSync(cwd)).toEqual(["squashfs-root"]);
  });

  test("one that is a link or a file is refused", async () => {
    for (const make of [
      (name: string) => symlinkSync("/tmp", name),
      (name: string) => writeFileSync(name, "mine"),
    ]) {
      const cwd = temporaryDirectory();
      make(path.join(cwd, "squashfs-root"));
      const before = lstatSync(path.join(cwd, "squashfs-root"));
      const { status, stderr } = await run(file, ["--appimage-extract"], { cwd });
      expect(status).toBe(1);
      expect(stderr).toContain("[E_EXTRACT_EXISTS] squashfs-root");
      expect(lstatSync(path.join(cwd, "squashfs-root")).ino).toBe(before.ino);
      expect(readdirSync(cwd)).toEqual(["squashfs-root"]);
    }
  });

  skipUnless("root")("folders that forbid writing, as a user", async () => {
    const dir = path.join(temporaryDirectory(), "in");
    const image = path.join(path.dirname(dir), "closed.sfs");
    mkdirSync(path.join(dir, "closed/deep"), { recursive: true });
    writeFileSync(path.join(dir, "closed/f"), "1");
    writeFileSync(path.join(dir, "closed/deep/g"), "2");
    writeFileSync(path.join(dir, "AppRun"), appRun);
    for (const name of ["closed/deep", "closed"]) chmodSync(path.join(dir, name), 0o555);
    execFileSync("mksquashfs", [dir, image, "-quiet", "-no-progress", "-all-root"]);
    const closed = await appImage(smallAppDir, { name: "closed.AppImage" });
    const head = Number(printed(await run(closed, ["--appimage-offset"])));
    writeFileSync(
      closed,
      Buffer.concat([readFileSync(closed).subarray(0, head), readFileSync(image)]),
    );
    const cwd = userDirectory();
    for (const args of [["closed/f"], ["closed/deep"], []]) {
      printed(await asUser(closed, ["--appimage-extract", ...args], cwd, { cwd }));
    }
    expect(below(path.join(cwd, "squashfs-root/closed"))).toEqual(["deep", "deep/g", "f"]);
    expect(statSync(path.join(cwd, "squashfs-root/closed")).mode & 0o777).toBe(0o555);
    expect(statSync(path.join(cwd, "squashfs-root/closed/deep")).mode & 0o777).toBe(0o555);
  });
});

test("a folder that cannot be written to is a failure in words", async () => {
  const { status, stderr } = await run(file, ["--appimage-extract"], { cwd: "/proc" });
  expect(status).toBe(1);
  expect(stderr).toMatch(/\[E_EXTRACT_FAILED\] squashfs-root/);
});
