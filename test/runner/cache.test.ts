/** Specification, "--cache-static", and the reaper. */

import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { holdStopped, releaseLocks } from "../support/held-lock.ts";
import { nothing } from "../support/leftovers.ts";
import { missing } from "../support/needs.ts";
import { ordinaryUser, run } from "../support/process.ts";
import { ask, checkOf, homeOf, refused, runnerOf, start, watch, ways } from "../support/runner.ts";
import { stopBehind } from "../support/stopped.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { makeZip, zipLink } from "../support/zip.ts";

const DAY = 86_400;

let zip: string;
let other: string;
beforeAll(() => {
  const dir = temporaryDirectory();
  zip = path.join(dir, "a.zip");
  other = path.join(dir, "other.zip");
  const big = "0123456789".repeat(40_000);
  writeFileSync(
    zip,
    makeZip([
      { name: "file", content: "packed\n" },
      { name: "dir/big", content: big, deflate: true },
      { name: "bin/say", content: "#!/bin/sh\necho said\n", mode: 0o100755 },
      zipLink("link", "dir/big"),
    ]),
  );
  writeFileSync(other, makeZip([{ name: "file", content: "other\n" }]));
});

const show = ["sh", "-c", 'cd "$FUSELAGE_STATIC/a" && cat file && wc -c < link && ./bin/say'];
const shown = "packed\n400000\nsaid\n";
const cached = () => ["--cache-static", `--static=a:${zip}`, ...show];

const cacheOf = (home: string) => path.join(home, ".fuselage/cache");
const digest = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");
/** The image and the sentinel of an archive. */
function entryOf(home: string, file: string) {
  const base = path.join(cacheOf(home), digest(file).slice(0, 16));
  return { base, image: `${base}.sfs`, sentinel: `${base}.complete` };
}
const age = (file: string, seconds: number) => {
  const then = Date.now() / 1000 - seconds;
  utimesSync(file, then, then);
};
const ageOf = (file: string) => Date.now() / 1000 - statSync(file).mtimeMs / 1000;

describe.each(ways)("$title", (way) => {
  const check = checkOf(way);
  const own = (file: string) =>
    way.root
      ? undefined
      : run("chown", ["-h", `${ordinaryUser().uid}:${ordinaryUser().gid}`, file]);

  // A traced program is not set-id.
  if (!way.setuid)
    checkOf(
      way,
      "root",
      "strace",
    )("two that have no lock make the image at the same time", async () => {
      const home = homeOf(way);
      expect(await ask(way, cached(), home)).toBe(shown);
      const { base, image, sentinel } = entryOf(home, zip);
      for (const name of [image, sentinel]) rmSync(name);
      const holder = await holdStopped(`${base}.lock`);
      const held = await stopBehind("/^rename", undefined, [runnerOf(way), ...cached()], {
        ...(way.root ? {} : ordinaryUser()),
        env: { HOME: home },
      });
      const said = `fuselage: not waiting for ${base}.lock: stopped process ${holder.pid} has locked it\n`;
      const made = { status: 0, signal: null, stdout: shown, stderr: said };
      expect(await start(way, cached(), home)).toEqual(made);
      expect(await held.goOn()).toEqual(made);
      releaseLocks();
      expect(await ask(way, cached(), home)).toBe(shown);
      expect(readdirSync(cacheOf(home)).filter((name) => name.includes("partial"))).toEqual([]);
    });

  check(
    "keyed by SHA-256: <first 16 hex digits>.sfs and .complete, the caller's alone",
    async () => {
      const home = homeOf(way);
      expect(await ask(way, cached(), home)).toBe(shown);
      const { image, sentinel } = entryOf(home, zip);
      expect(readFileSync(image).subarray(0, 4).toString()).toBe("hsqs");
      expect(existsSync(sentinel)).toBe(true);
      // Trees of root's are for servers that give root up; images are nobody else's.
      expect(lstatSync(cacheOf(home)).mode & 0o777).toBe(way.root ? 0o711 : 0o700);
      for (const file of [image, sentinel]) {
        const { mode, uid } = statSync(file);
        expect(mode & 0o077).toBe(0);
        expect(uid).toBe(way.root ? 0 : ordinaryUser().uid);
      }
    },
  );

  check(
    "a stopped process has the lock: a start says so, and makes the image without it",
    async () => {
      const home = homeOf(way);
      await ask(way, cached(), home);
      const { base, image, sentinel } = entryOf(home, zip);
      for (const file of [image, sentinel]) rmSync(file);
      const holder = await holdStopped(`${base}.lock`);
      const { stdout, stderr } = await start(way, cached(), home);
      releaseLocks();
      expect(stdout).toBe(shown);
      expect(stderr).toContain(
        `fuselage: not waiting for ${base}.lock: stopped process ${holder.pid} has locked it\n`,
      );
      expect([image, sentinel].map((file) => existsSync(file))).toEqual([true, true]);
    },
  );

  check("subsequent runs skip conversion and mount the cached squashfs directly", async () => {
    const home = homeOf(way);
    await ask(way, cached(), home);
    const { image, sentinel } = entryOf(home, zip);
    const before = statSync(image, { bigint: true });
    age(sentinel, 3 * DAY);
    expect(await ask(way, cached(), home)).toBe(shown);
    const after = statSync(image, { bigint: true });
    expect({ ino: after.ino, mtime: after.mtimeNs }).toEqual({
      ino: before.ino,
      mtime: before.mtimeNs,
    });
    expect(ageOf(sentinel)).toBeLessThan(60);
    const kernel = (way.root || way.setuid) && missing("loop") === undefined;
    const type = kernel ? "squashfs" : "fuse.fuselage";
    const own = 'grep " $FUSELAGE_STATIC/a " /proc/self/mountinfo';
    const args = ["--cache-static", "-s", `a:${zip}`, "sh", "-c", own];
    expect(await ask(way, args, home)).toMatch(new RegExp(` ro,nosuid,nodev.* - ${type} `));
  });

  check("disabled by default, and of no use for --dynamic and squashfs", async () => {
    const home = homeOf(way);
    await ask(way, [`--static=a:${zip}`, ...show], home);
    await ask(way, ["--cache-static", "-d", zip, "true"], home);
    expect(existsSync(cacheOf(home))).toBe(false);
  });

  check(
    "the same content under another name is the same entry, other content another",
    async () => {
      const home = homeOf(way);
      const copy = path.join(temporaryDirectory(), "copy.zip");
      writeFileSync(copy, readFileSync(zip));
      await ask(way, cached(), home);
      const { ino } = statSync(entryOf(home, zip).image);
      await ask(way, ["--cache-static", "-s", `a:${copy}`, ...show], home);
      expect(statSync(entryOf(home, zip).image).ino).toBe(ino);
      const read = [
        "--cache-static",
        "-s",
        `a:${other}`,
        "sh",
        "-c",
        'cat "$FUSELAGE_STATIC/a/file"',
      ];
      expect(await ask(way, read, home)).toBe("other\n");
      const images = readdirSync(cacheOf(home)).filter((name) => name.endsWith(".sfs"));
      expect(images).toHaveLength(2);
    },
  );

  const damages: [string, (home: string) => void][] = [
    ["a truncated image", (home) => truncateSync(entryOf(home, zip).image, 100)],
    ["an empty image", (home) => truncateSync(entryOf(home, zip).image, 0)],
    ["a missing image", (home) => rmSync(entryOf(home, zip).image)],
    ["a missing sentinel", (home) => rmSync(entryOf(home, zip).sentinel)],
    ["an empty sentinel", (home) => truncateSync(entryOf(home, zip).sentinel, 0)],
    [
      "an image that is no squashfs",
      (home) => writeFileSync(entryOf(home, zip).image, "x".repeat(9000)),
    ],
  ];
  for (const [title, damage] of damages) {
    check(`${title} is built again`, async () => {
      const home = homeOf(way);
      await ask(way, cached(), home);
      const { image, sentinel } = entryOf(home, zip);
      chmodSync(image, 0o600);
      damage(home);
      expect(await ask(way, cached(), home)).toBe(shown);
      expect(statSync(image).size).toBeGreaterThan(1000);
      expect(readFileSync(sentinel, "utf8")).toBe(digest(zip));
    });
  }

  check("20 first uses at once all succeed, and leave one image", async () => {
    const home = homeOf(way);
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => start(way, cached(), home)),
    );
    expect(outcomes.filter(({ status, stdout }) => status !== 0 || stdout !== shown)).toEqual([]);
    const names = readdirSync(cacheOf(home));
    expect(names.filter((name) => name.endsWith(".sfs"))).toHaveLength(1);
    expect(names.filter((name) => name.endsWith(".partial"))).toEqual([]);
  });

  check("an archive that others may write to is cached by what was read", async () => {
    const home = homeOf(way);
    const open = path.join(temporaryDirectory(), "open.zip");
    writeFileSync(open, readFileSync(zip));
    chmodSync(open, 0o666);
    expect(await ask(way, ["--cache-static", "-s", `a:${open}`, ...show], home)).toBe(shown);
  });

  check("a cache that others write to is refused", async () => {
    const home = homeOf(way);
    await ask(way, cached(), home);
    chmodSync(cacheOf(home), 0o777);
    expect(await refused(way, cached(), home)).toMatchObject({ status: 125, code: "E_CACHE" });
  });

  checkOf(way, "root")("a cache of another owner is refused", async () => {
    const home = homeOf(way);
    await ask(way, cached(), home);
    await run("chown", ["4711:4711", cacheOf(home)]);
    expect(await refused(way, cached(), home)).toMatchObject({ status: 125, code: "E_CACHE" });
  });

  describe("the reaper", () => {
    /** Two entries of this age, then a start that gives the reaper its turn; it has ended. */
    const reap = async (
      days: number,
      limit: string | undefined,
      prepare?: (home: string) => void,
    ) => {
      const home = homeOf(way);
      await ask(way, cached(), home);
      const { sentinel, image } = entryOf(home, zip);
      for (const file of [sentinel, image]) age(file, days * DAY);
      prepare?.(home);
      for (const name of readdirSync(cacheOf(home))) await own(path.join(cacheOf(home), name));
      rmSync(path.join(cacheOf(home), ".reaped"), { force: true });
      const left = watch(way, home);
      const env = { FUSELAGE_CACHE_MAX_AGE_DAYS: limit };
      const args = [
        "--cache-static",
        "-s",
        `a:${other}`,
        "sh",
        "-c",
        'cat "$FUSELAGE_STATIC/a/file"',
      ];
      expect(await ask(way, args, home, { env })).toBe("other\n");
      expect(await left()).toEqual(nothing);
      expect(existsSync(entryOf(home, other).image)).toBe(true);
      return {
        home,
        kept: existsSync(image) && existsSync(sentinel),
        gone: !existsSync(image) && !existsSync(sentinel),
      };
    };

    const limits: [number, string | undefined, boolean][] = [
      [31, undefined, false],
      [29, undefined, true],
      [1.5, "1", false],
      [0.5, "1", true],
      [31, "60", true],
      [4000, "0", true],
      [29, "", true],
    ];
    for (const [days, limit, kept] of limits) {
      const title = `FUSELAGE_CACHE_MAX_AGE_DAYS=${limit ?? "(30)"}: unused for ${days} days`;
      check(`${title} is ${kept ? "kept" : "removed"}`, async () => {
        const result = await reap(days, limit);
        expect(result).toMatchObject({ kept, gone: !kept });
      });
    }

    check("FUSELAGE_CACHE_MAX_AGE_DAYS that is no number of days is refused", async () => {
      for (const limit of ["nonsense", "-1", "1.5", "100001", "18446744073709551617"]) {
        const env = { FUSELAGE_CACHE_MAX_AGE_DAYS: limit };
        const outcome = await start(way, cached(), homeOf(way), { env });
        const words = `[E_VARIABLE] FUSELAGE_CACHE_MAX_AGE_DAYS=${limit}: expected a number`;
        expect(outcome).toMatchObject({ status: 125, stderr: expect.stringContaining(words) });
      }
    });

    check("partial entries older than an hour go, younger and foreign ones stay", async () => {
      const key = "0123456789abcdef";
      const names = [`${key}.${key}.partial`, `${key}.fedcba9876543210.partial`, "mine.partial"];
      const { home } = await reap(31, undefined, (dir) => {
        for (const [index, name] of names.entries()) {
          const file = path.join(cacheOf(dir), name);
          writeFileSync(file, "x");
          age(file, index === 1 ? 600 : 2 * 3600);
        }
      });
      const [old = "", young = "", foreign = ""] = names;
      const found = readdirSync(cacheOf(home));
      expect(found).not.toContain(old);
      expect(found).toEqual(expect.arrayContaining([young, foreign]));
    });

    check("an entry that is used now stays, however long it was not", async () => {
      const home = homeOf(way);
      await ask(way, cached(), home);
      const { sentinel, image } = entryOf(home, zip);
      for (const file of [sentinel, image]) age(file, 400 * DAY);
      rmSync(path.join(cacheOf(home), ".reaped"), { force: true });
      const { ino } = statSync(image);
      const left = watch(way, home);
      expect(await ask(way, cached(), home)).toBe(shown);
      expect(await left()).toEqual(nothing);
      expect(statSync(image).ino).toBe(ino);
      expect(ageOf(sentinel)).toBeLessThan(60);
    });
  });
});
