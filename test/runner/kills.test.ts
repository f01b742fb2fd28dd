/** A thousand kills at random moments of start, run and end: nothing stays. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect } from "vitest";
import { leftovers, nothing } from "../support/leftovers.ts";
import { ordinaryUser, run, signalListed } from "../support/process.ts";
import {
  ask,
  checkOf,
  fixedPath,
  homeOf,
  imageOf,
  runnerOf,
  type Way,
  watch,
  ways,
} from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { makeZip } from "../support/zip.ts";

/** In all, spread over the ways and the works. */
const KILLS = 1000;
const SEED = 20_261_120;

/** xorshift32: the same moments in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

let image: string;
let zips: string;
beforeAll(async () => {
  image = await imageOf();
  zips = temporaryDirectory();
});

const content = "0123456789abcdef".repeat(20_000);

/** A zip file of its own, so that each start has an image to build. */
function zipFile(index: number): string {
  const file = path.join(zips, `${index}.zip`);
  if (!existsSync(file)) {
    const entries = Array.from({ length: 40 }, (_, i) => ({
      name: `f${i}`,
      content: `${index} ${i}\n${content}`,
      deflate: true,
    }));
    writeFileSync(file, makeZip([{ name: "file", content: "packed\n" }, ...entries]));
  }
  return file;
}

interface Work {
  title: string;
  args: (index: number) => string[];
  /** Where the archive is, for the command. */
  variable: string;
  /** A start takes about this long, milliseconds. */
  span: number;
}

const works: Work[] = [
  {
    title: "static squashfs",
    args: () => ["-s", `a:${image}`],
    variable: "FUSELAGE_STATIC",
    span: 6,
  },
  {
    title: "dynamic squashfs",
    args: () => ["-d", `a:${image}`],
    variable: "FUSELAGE_DYNAMIC",
    span: 8,
  },
  {
    title: "zip cache",
    args: (index) => ["--cache-static", "-s", `a:${zipFile(index % 20)}`],
    variable: "FUSELAGE_STATIC",
    span: 25,
  },
];

const each = Math.ceil(KILLS / (ways.length * works.length));

/** Every entry of the cache that says that it is complete is used, and must be what was packed. */
async function checkCache(way: Way, home: string): Promise<number> {
  const cache = path.join(home, ".fuselage/cache");
  const names = existsSync(cache) ? readdirSync(cache) : [];
  const complete = names.filter((name) => name.endsWith(".complete"));
  for (const name of complete) expect(names).toContain(name.replace(/\.complete$/, ".sfs"));
  for (let index = 0; index < 20; index++) {
    const script = `cd "$FUSELAGE_STATIC/a" && cat file && head -n 1 f39 && cat f* | wc -c`;
    const args = ["--cache-static", "-s", `a:${zipFile(index)}`, "sh", "-c", script];
    const length = Array.from({ length: 40 }, (_, i) => `${index} ${i}\n`.length + content.length);
    const total = length.reduce((sum, bytes) => sum + bytes, "packed\n".length);
    expect(await ask(way, args, home)).toBe(`packed\n${index} 39\n${total}\n`);
  }
  return complete.length;
}

describe.each(ways)("$title", (way) => {
  for (const [number, work] of works.entries()) {
    checkOf(way)(`${each} kills, ${work.title}`, async () => {
      const home = homeOf(way);
      const fixed = fixedPath();
      const next = random(SEED + number * 7919 + ways.indexOf(way) * 104_729);
      const left = watch(way, home, [image, home, zips]);
      const moments = { early: 0, late: 0 };
      const kill = async (index: number) => {
        const more = index % 5 === 0 ? [`--dynamic-empty=${fixed}`] : [];
        const script = `cat "$${work.variable}/a/file"; sleep 0.003`;
        const child = spawn(runnerOf(way), [...work.args(index), ...more, "sh", "-c", script], {
          env: { PATH: process.env["PATH"], FUSELAGE_LINGER: "0", HOME: home },
          ...(way.root ? {} : ordinaryUser()),
          stdio: ["ignore", "pipe", "ignore"],
          detached: true,
        });
        let out = "";
        child.stdout.on("data", (chunk: Buffer) => {
          out += chunk;
        });
        const ended = once(child, "close");
        await sleep(next() * work.span);
        // The command's own children too: who lives on keeps the mounts, as is right.
        signalListed(-(child.pid as number), "SIGKILL");
        await ended;
        moments[out === "" ? "early" : "late"]++;
        expect(["", "packed\n"]).toContain(out);
      };
      const indexes = Array.from({ length: each }, (_, index) => index);
      const worker = async () => {
        for (let index = indexes.shift(); index !== undefined; index = indexes.shift()) {
          await kill(index);
        }
      };
      await Promise.all(Array.from({ length: 4 }, worker));
      // Where this process came too late for all of them.
      for (let index = each; moments.early === 0; index++) await kill(index);
      expect(await left()).toEqual(nothing);
      // Nothing is in anyone's namespace either: no process has this home in its environment.
      const { stdout } = await run("sh", [
        "-c",
        'grep -lz "^HOME=$0$" /proc/[0-9]*/environ 2>/dev/null | grep -cv "^/proc/$$/"',
        home,
      ]);
      expect(stdout.trim()).toBe("0");
      const allowed = ["procdirs", "starts", ...(work.title === "zip cache" ? ["cache"] : [])];
      for (const name of readdirSync(path.join(home, ".fuselage"))) expect(allowed).toContain(name);
      expect(leftovers({ homes: [home] }).procdirs).toEqual([]);
      if (work.title === "zip cache") await checkCache(way, home);
    });
  }
});
