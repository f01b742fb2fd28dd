/**
 * Limits of the caller that are too low for a start: it works all the same, or names the limit in words. It is
 * never ended by a signal, blames nothing else, and leaves nothing. Of what a setuid-root runner makes of
 * them see test/runner/limits.test.ts.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { mksquashfs } from "../support/bundle-of.ts";
import { noise } from "../support/image.ts";
import { type Need, skipUnless } from "../support/needs.ts";
import { root, run } from "../support/process.ts";
import { compile, listen, packProgram, type Shown } from "../support/process-state.ts";
import { asOrdinary, asRoot, checkOf, runnerOf, setuidRoot } from "../support/runner.ts";
import { aloneIn } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import { makeZip } from "../support/zip.ts";

/** Prints its own limits, and the length of all of a file that the archive has. */
let reader: string;
let bundle: string;
let image: string;
let dir: string;

/** More than our server keeps of them. */
const BYTES = 24_000_000;

beforeAll(async () => {
  reader = compile("support/share-reader.c", "-static");
  dir = temporaryDirectory();
  const packed = await packProgram(reader, "app.run", (folder) => {
    for (let i = 0; i < 3; i++) {
      writeFileSync(path.join(folder, `large${i}`), noise(BYTES / 3, `${i}`));
    }
  });
  bundle = packed.file;
  image = await mksquashfs(packed.input, "-all-root", "-comp", "gzip");
  const text = path.join(dir, "app.b64");
  await run("sh", ["-c", `base64 "${image}" > "${text}"`]);
  writeFileSync(path.join(dir, "app.zip"), makeZip([{ name: "file", content: "x".repeat(5000) }]));
});

interface Way {
  title: string;
  root: boolean;
  check: ReturnType<typeof skipUnless>;
  command: () => string[];
  env?: Record<string, string>;
  /** Descriptors that are enough, as docs/limits.md has it; 12 where that has no row. */
  enough: number;
}

/** What the table of docs/limits.md says that a start needs. */
function enoughFor(strategy: string): number {
  const docs = readFileSync(path.join(root, "docs/limits.md"), "utf8");
  const row = docs.split("\n").find((line) => line.startsWith(`| \`${strategy}\` | `));
  return row === undefined ? 12 : Number(/ (\d+)/.exec(row)?.[1]);
}

const { gcc } = { gcc: "gcc" } as const;
const ofBundle = (title: string, isRootToo: boolean, strategy: string, ...needs: Need[]): Way => ({
  title,
  root: isRootToo,
  check: skipUnless(gcc, ...needs),
  command: () => [bundle],
  env: { FUSELAGE_MOUNT: strategy },
  enough: enoughFor(strategy),
});
const ofRunner = (runner: typeof asRoot, use: string): Way => ({
  title: `fuselage ${use}, ${runner.title}`,
  root: runner.root,
  check: checkOf(runner, gcc, "mksquashfs", "fuse"),
  command: () => [runnerOf(runner), `${use}=a:${image}`, "--run", "state"],
  enough: 12,
});

const ways: Way[] = [
  ofBundle("a bundle as root", true, "auto", "root", "fuse"),
  ofBundle("a bundle as a user", false, "auto", "fuse", "userns"),
  ofBundle("a bundle by loop", true, "loop", "root", "loop"),
  ofBundle("a bundle by fuse as root", true, "fuse", "root", "fuse"),
  ofBundle("a bundle in memory as root", true, "extract", "root"),
  ofBundle("a bundle by fuse alone", false, "fuse", "fuse", "userns"),
  ofBundle("a bundle in memory", false, "extract", "userns"),
  ofBundle("a bundle by fusermount3", false, "fusermount", "fuse", "fusermount"),
  ofRunner(asRoot, "--dynamic"),
  ofRunner(asOrdinary, "--static"),
  ofRunner(asOrdinary, "--dynamic"),
  ofRunner(setuidRoot, "--static"),
  ofRunner(setuidRoot, "--dynamic"),
];

const prlimit = (limit: string) => ["prlimit", limit];

/** What a program prints that the limit is for without us. */
const direct = (way: Way, limit: string, home: string) =>
  listen([...prlimit(limit), reader], { root: way.root, home });

/** Starts it, and says whether the app ran; in any case nothing stays and no signal has ended it. */
async function attempt(way: Way, limit: string): Promise<{ ran: boolean; shown: Shown }> {
  const home = way.root ? temporaryDirectory() : userDirectory();
  const env = { ...way.env, ...aloneIn(home) };
  const surroundings = { root: way.root, home, env };
  const shown = await listen([...prlimit(limit), ...way.command()], surroundings);
  const ran = shown.status === 0;
  if (ran) {
    const expected = await direct(way, limit, home);
    expect(expected.status).toBe(0);
    // The same limits, and every byte of the archive.
    expect(shown.lines).toEqual([...expected.lines, `read ${BYTES}`]);
    expect(shown.stderr).toBe("");
  } else {
    expect([125, 126, 127], JSON.stringify(shown)).toContain(shown.status);
    expect(shown.stderr).toMatch(/^fuselage: \[E_/);
  }
  const procdirs = () => {
    try {
      return readdirSync(path.join(home, ".fuselage/procdirs"));
    } catch {
      return [];
    }
  };
  await expect.poll(procdirs).toEqual([]);
  return { ran, shown };
}

describe.each(ways)("$title", (way) => {
  way.check("descriptors: from 4 to 16 (ulimit -n)", async () => {
    for (const n of [4, 5, 6, 7, 8, 9, 10, 11, 12, 16]) {
      const { ran, shown } = await attempt(way, `--nofile=${n}`);
      if (n >= way.enough) expect({ n, ran }).toEqual({ n, ran: true });
      // In the code, or in the reason of each strategy that would have been taken.
      if (!ran) expect(shown.stderr).toMatch(/No file descriptors available/);
      if (!ran) expect(shown.stderr).not.toMatch(/HOME|E_PRIVILEGES|E_SELF_OPEN|E_ARCHIVE/);
    }
  });

  way.check("processes: none more (ulimit -u)", async () => {
    const { ran, shown } = await attempt(way, "--nproc=1");
    if (!ran) expect(shown.stderr).toMatch(/\(ulimit -u\)/);
    if (way.root) expect(ran).toBe(true); // who has no such limit
  });

  way.check("address space: from 2 to 64 MiB (ulimit -v)", async () => {
    const works: number[] = [];
    for (const mib of [2, 3, 4, 8, 16, 27, 64]) {
      const { ran, shown } = await attempt(way, `--as=${mib << 20}`);
      if (ran) works.push(mib);
      // fusermount3 needs some too: its loader says so in its own words.
      else expect(shown.stderr).toMatch(/memory|ulimit -v|failed to map/i);
    }
    expect(works).toContain(64);
  });

  way.check("data: from 1 to 64 MiB (ulimit -d)", async () => {
    const works: number[] = [];
    for (const mib of [1, 4, 16, 64]) {
      const { ran, shown } = await attempt(way, `--data=${mib << 20}`);
      if (ran) works.push(mib);
      else expect(shown.stderr).toMatch(/memory|ulimit -[vd]|failed to map/i);
    }
    expect(works).toContain(64);
  });

  way.check("stack: from 16 to 256 KiB (ulimit -s)", async () => {
    for (const kib of [16, 64, 255, 256]) {
      const { ran, shown } = await attempt(way, `--stack=${kib << 10}`);
      expect({ kib, ran }).toEqual({ kib, ran: kib >= 256 });
      if (!ran) {
        const words = `[E_LIMIT] stack: expected 256 KiB, found ${kib} (ulimit -s)`;
        expect(shown.stderr).toContain(words);
      }
    }
  });

  way.check("files: none may be written (ulimit -f)", async () => {
    for (const bytes of [0, 4096]) {
      const { ran, shown } = await attempt(way, `--fsize=${bytes}`);
      expect(ran).toBe(way.env?.["FUSELAGE_MOUNT"] !== "extract");
      if (!ran) expect(shown.stderr).toMatch(/File too large/);
    }
  });

  way.check("cores and what may be locked: none (ulimit -c, -l)", async () => {
    expect((await attempt(way, "--core=0")).ran).toBe(true);
    expect((await attempt(way, "--memlock=0")).ran).toBe(true);
    expect((await attempt(way, "--sigpending=0")).ran).toBe(true);
  });
});

describe("files that a start would write", () => {
  for (const runner of [asRoot, asOrdinary, setuidRoot]) {
    checkOf(
      runner,
      gcc,
      "mksquashfs",
    )(`say so in words, ${runner.title} (ulimit -f)`, async () => {
      for (const args of [
        ["-s", `a:${path.join(dir, "app.b64")}`],
        ["-d", `a:${path.join(dir, "app.b64")}`],
        ["-s", `a:${path.join(dir, "app.zip")}`],
        ["--cache-static", "-s", `a:${path.join(dir, "app.zip")}`],
        ["--mount-type=extract", "-s", `a:${image}`],
      ]) {
        const home = runner.root ? temporaryDirectory() : userDirectory();
        const command = [...prlimit("--fsize=1000"), runnerOf(runner), ...args, "true"];
        const { status, stderr } = await listen(command, { root: runner.root, home });
        expect({ args, status }).toEqual({ args, status: 125 });
        expect(stderr).toMatch(/^fuselage: \[E_(LIMIT|EXTRACT_FAILED|CACHE|MOUNT_REFUSED)\]/);
        expect(stderr).toMatch(/File too large/);
        mkdirSync(path.join(home, ".fuselage/cache"), { recursive: true });
        const kept = readdirSync(path.join(home, ".fuselage/cache"));
        expect(kept.filter((name) => /partial|complete|sfs/.test(name))).toEqual([]);
      }
    });
  }
});
