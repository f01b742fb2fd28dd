/** FUSELAGE_RECORD: a start leaves a list of exactly what was read. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { end, isShared, joining, settled, warm } from "../support/holders.ts";
import { noise } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, start, ways } from "../support/packed.ts";
import { asUser, bundle, fuselage, ordinaryUser } from "../support/process.ts";
import { pagesOf, recordingOf } from "../support/recording.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const PAGES = 700;

let file: string;
beforeAll(async () => {
  file = await pack({
    run: runArguments,
    "data/large": noise(PAGES * 4096 + 100, "pages"),
    "data/small": "packed\n",
    "data/empty": "",
  });
  await settled();
});

/** Prints the inode numbers, then reads these pages of the large file, one after the other. */
const reader = (...pages: number[]) =>
  `cd "$FUSELAGE_BUNDLE_DIR/data" && stat -c %i large small empty && ${pages
    .map((page) => `dd if=large bs=4096 count=1 skip=${page} of=/dev/null 2>/dev/null`)
    .join(" && ")}`;

const served = ways.filter(({ strategy }) => ["fuse", "fusermount"].includes(strategy));

describe.each(served)("$title", (way) => {
  const check = skipUnless(...way.needs);
  const makeHome = () => (way.root ? temporaryDirectory() : userDirectory());

  check("every page that was read is named, in order, and no other", async () => {
    const home = makeHome();
    const record = path.join(home, "record");
    const pages = [500, 3, 4, PAGES, 31, 32, 33, 0, 699];
    const outcome = await start(way, file, ["sh", "-c", reader(...pages)], home, {
      env: { FUSELAGE_RECORD: record },
    });
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    const [large = 0, small = 0, empty = 0] = outcome.stdout.trim().split("\n").map(Number);
    const reads = await recordingOf(record);
    expect(pagesOf(reads, large)).toEqual(pages);
    expect([...pagesOf(reads, small), ...pagesOf(reads, empty)]).toEqual([]);
    // The script that is the entrypoint.
    expect(new Set(reads.map(({ number }) => number)).size).toBe(2);
    const times = reads.map(({ milliseconds }) => milliseconds);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(statSync(record)).toMatchObject({
      mode: 0o100600,
      uid: way.root ? 0 : ordinaryUser().uid,
    });
  });

  check("a file that is read whole is named once for each page, its tail too", async () => {
    const home = makeHome();
    const outcome = await start(
      way,
      file,
      ["sh", "-c", 'cd "$FUSELAGE_BUNDLE_DIR/data" && stat -c %i large small && cat large small'],
      home,
      { cwd: home, env: { FUSELAGE_RECORD: "relative" } },
    );
    expect(outcome.status).toBe(0);
    const [large = 0, small = 0] = outcome.stdout.split("\n", 2).map(Number);
    const reads = await recordingOf(path.join(home, "relative"));
    const all = Array.from({ length: PAGES + 1 }, (_, i) => i);
    expect(pagesOf(reads, large).toSorted((a, b) => a - b)).toEqual(all);
    expect(pagesOf(reads, small)).toEqual([0]);
  });

  check("the app does not inherit the variable: what it starts is recorded by nobody", async () => {
    const home = makeHome();
    const shown = ["sh", "-c", 'echo "${FUSELAGE_RECORD-none}"'];
    const env = { FUSELAGE_RECORD: path.join(home, "record") };
    expect(await start(way, file, shown, home, { env })).toMatchObject({ stdout: "none\n" });
    await recordingOf(path.join(home, "record"));
  });

  check("its mount is nobody else's, before and after", async () => {
    const home = makeHome();
    const begin = (env: Record<string, string>) =>
      start(way, file, ["true"], home, { env: { ...warm(), ...env } });
    const record = (name: string) => ({ FUSELAGE_RECORD: path.join(home, name) });
    expect(isShared(await begin(record("first")))).toBe(false);
    expect(isShared(await begin({}))).toBe(false);
    expect(isShared(await begin(record("second")))).toBe(false);
    expect((await recordingOf(path.join(home, "second"))).length).toBeGreaterThan(0);
    expect(isShared(await joining(() => begin({})))).toBe(true);
    await end(file);
  });

  check("it has no end while the app runs", async () => {
    const home = makeHome();
    const record = path.join(home, "record");
    const app = spawn(file, ["cat"], {
      env: {
        PATH: process.env["PATH"],
        HOME: home,
        FUSELAGE_MOUNT: way.strategy,
        FUSELAGE_RECORD: record,
      },
      ...(way.root ? {} : ordinaryUser()),
      stdio: ["pipe", "pipe", "inherit"],
    });
    app.stdin?.write("here\n");
    await once(app.stdout as NodeJS.ReadableStream, "data");
    expect(readFileSync(record, "utf8")).toBe("");
    app.stdin?.end();
    await once(app, "close");
    expect((await recordingOf(record)).length).toBeGreaterThan(0);
  });
});

describe("as a user", () => {
  const check = skipUnless("fuse", "userns");
  const begin = (env: Record<string, string>, args: string[] = ["true"]) =>
    asUser(file, args, userDirectory(), { env: { FUSELAGE_MOUNT: "fuse", ...env } });

  check("a start that cannot be recorded says why, and leaves no file", async () => {
    const home = userDirectory();
    const record = path.join(home, "record");
    for (const strategy of ["extract", "loop"]) {
      const outcome = await begin({ FUSELAGE_MOUNT: strategy, FUSELAGE_RECORD: record });
      expect(outcome).toMatchObject({ status: 125, stdout: "" });
      expect(outcome.stderr).toMatch(`${strategy}: is not served by FUSE`);
      expect(existsSync(record)).toBe(false);
    }
  });

  check("what is there is not written to, nor what a link leads to", async () => {
    const home = userDirectory();
    const there = path.join(home, "there");
    writeFileSync(there, "mine", { mode: 0o666 });
    symlinkSync(path.join(home, "elsewhere"), path.join(home, "dangling"));
    symlinkSync(there, path.join(home, "link"));
    mkdirSync(path.join(home, "closed"), { mode: 0o755 });
    for (const name of ["there", "link", "dangling", "missing/record", "closed/record", "."]) {
      const outcome = await begin({ FUSELAGE_RECORD: path.join(home, name) });
      expect([name, outcome.status, outcome.stdout]).toEqual([name, 125, ""]);
      expect(outcome.stderr).toMatch(/^fuselage: \[E_RECORD\] FUSELAGE_RECORD=/);
    }
    expect(readFileSync(there, "utf8")).toBe("mine");
    expect(existsSync(path.join(home, "elsewhere"))).toBe(false);
  });

  check("an empty value is none", async () => {
    expect(await begin({ FUSELAGE_RECORD: "" })).toMatchObject({ status: 0, stderr: "" });
  });
});

test("several archives, and what is no squashfs image, are refused", async () => {
  const dir = userDirectory();
  writeFileSync(path.join(dir, "text"), "text\n");
  for (const type of ["sfs", "zip"]) {
    const packed = ["pack", dir, "-o", path.join(temporaryDirectory(), `a.${type}`)];
    const made = await bundle(packed);
    expect(made.status).toBe(0);
    const archive = packed[3] as string;
    const two = [`--static=a:${archive}`, `--static=b:${archive}`];
    for (const archives of type === "sfs" ? [two] : [two, two.slice(1)]) {
      const record = path.join(userDirectory(), "record");
      const outcome = await asUser(fuselage, [...archives, "--", "true"], userDirectory(), {
        env: { FUSELAGE_RECORD: record },
      });
      expect(outcome.stderr).toMatch("[E_RECORD] FUSELAGE_RECORD: expected one squashfs image");
      expect(existsSync(record)).toBe(false);
    }
  }
});
