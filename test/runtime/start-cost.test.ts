/** What a start does, by counts: calls that nobody needs, files that are there before they are asked for, and who takes a namespace apart. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeAll, describe, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { end, gone, holderOf, settled, warm } from "../support/holders.ts";
import { noise } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, start, type Way, ways } from "../support/packed.ts";
import { asUser, root } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const served = ways.filter(({ strategy }) => ["fuse", "fusermount"].includes(strategy));
const mounted = ways.filter(({ strategy }) => strategy !== "extract");
const makeHome = (way: Way) => (way.root ? temporaryDirectory() : userDirectory());

/** The system calls of a later start until it is the app: name and arguments of each. */
async function callsOf(way: Way, file: string, home: string): Promise<string[]> {
  const trace = path.join(home, "trace");
  const env = { FUSELAGE_MOUNT: way.strategy, ...warm() };
  expect(await asUser(file, ["true"], home, { env })).toMatchObject({ status: 0 });
  await holderOf(file);
  const args = ["-s", "4096", "-o", trace, file, "true"];
  expect(await asUser("strace", args, home, { env })).toMatchObject({ status: 0 });
  const lines = readFileSync(trace, "utf8").split("\n");
  const apps = lines.findIndex((line, i) => i > 0 && line.startsWith("execve("));
  return lines.slice(1, apps);
}

let file: string;
beforeAll(async () => {
  file = await pack({ run: runArguments });
  await settled();
});
afterEach(() => end(file));

describe.each(served.filter((way) => !way.root))("$title, a later start", (way) => {
  const check = skipUnless("strace", ...way.needs);

  check("asks nothing twice", async () => {
    const calls = await callsOf(way, file, makeHome(way));
    const count = (pattern: RegExp) => calls.filter((call) => pattern.test(call)).length;
    expect(count(/^fcntl\(\d+, F_SETFD/)).toBe(0);
    // A folder on the way is looked at when it is entered, not when it is left again.
    expect(count(/^openat\(\d+, "[^"]+", .*O_PATH/)).toBeGreaterThan(2);
    expect(count(/^fstat\(\d+, {st_mode=S_IFDIR/)).toBeLessThan(10);
    // Of an image that is mounted already nothing is read but its superblock.
    expect(count(/^pread64\(/)).toBeLessThanOrEqual(7);
    expect(calls.length).toBeLessThan(way.strategy === "fuse" ? 140 : 150);
  });

  check("takes no pages for each size of what it allocates", async () => {
    const calls = await callsOf(way, file, makeHome(way));
    expect(calls.filter((call) => call.startsWith("mmap(")).length).toBeLessThanOrEqual(3);
    expect(calls.filter((call) => call.startsWith("munmap("))).toEqual([]);
  });

  if (way.strategy === "fusermount")
    check("makes no folder that is removed again", async () => {
      const calls = await callsOf(way, file, makeHome(way));
      expect(calls.filter((call) => call.startsWith("rmdir("))).toEqual([]);
      expect(calls.filter((call) => call.startsWith("symlink("))).toHaveLength(1);
    });
});

/** Which pages of its program a start finds in memory, of which the shell reads no more than the first. */
const looking = `#!/bin/sh
exec python3 "${path.join(root, "test/support/resident.py")}" "$FUSELAGE_BUNDLE_DIR/run" 40 "$1"
`;
const ENTRY_PAGES = 256;

/**
 * Which pages of its program a first start has, a digit for each, until it had the first `wanted`. A machine that pages out
 * what nobody touches may be quicker than a look that waits for its turn: what it took is looked for in another start.
 */
async function had(way: Way, bundle: string, wanted: number): Promise<string> {
  const env = { FUSELAGE_LINGER: "0", FUSELAGE_LEARN: "0" };
  let seen: string[] = [];
  for (let tries = 0; tries < 5; tries++) {
    const outcome = await start(way, bundle, [`${wanted}`], makeHome(way), { env });
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    const pages = [...outcome.stdout.trim()];
    seen = pages.map((page, i) => (seen[i] === "1" ? "1" : page));
    await gone(bundle);
    if (!seen.slice(0, wanted).includes("0")) break;
  }
  return seen.join("");
}

describe.each(served)("$title, a first start", (way) => {
  for (const pages of [100, 180, 300])
    skipUnless(...way.needs)(`has its program, of ${pages} pages, before it is read`, async () => {
      const rest = noise(pages * 4096 - looking.length - 100, `program of ${pages}`);
      const bundle = await pack({ run: Buffer.concat([Buffer.from(looking), rest]) });
      const wanted = Math.min(pages, ENTRY_PAGES);
      const seen = await had(way, bundle, wanted);
      expect(seen.slice(0, wanted)).toBe("1".repeat(wanted));
      // Of a large one it is not known what is read of the rest.
      if (pages > ENTRY_PAGES) expect(seen.slice(wanted)).toContain("0");
    });
});

describe.each(mounted)("$title, an app that ends", (way) => {
  const check = skipUnless("root", ...way.needs);

  check("leaves its namespace to the holder, who lets go of it", async () => {
    const home = makeHome(way);
    const env = warm();
    const open = async () => {
      const fds = `/proc/${await holderOf(file)}/fd`;
      return readdirSync(fds).map((fd) => readlinkSync(path.join(fds, fd)));
    };
    /** Those of apps that have not ended, as it knows. */
    const runs = async () => (await open()).filter((link) => link.includes("pidfd"));
    expect(await start(way, file, ["true"], home, { env })).toMatchObject({ status: 0 });
    await expect.poll(runs).toEqual([]);
    const before = (await open()).length;
    // With two for the app; the start went on when it had what it needs, and the holder may still have that open too.
    const script =
      'readlink /proc/self/ns/mnt; until test $(ls /proc/"$1"/fd | wc -l) = "$2"; do sleep 0.05; done';
    const args = ["sh", "-c", script, "sh", `${await holderOf(file)}`, `${before + 2}`];
    const outcome = way.root ? await start(way, file, args, home, { env }) : undefined;
    if (outcome) expect(outcome).toMatchObject({ status: 0 });
    else await start(way, file, ["true"], home, { env });
    await expect.poll(async () => (await open()).length).toBe(before);
    if (outcome && way.strategy !== "fusermount")
      expect(outcome.stdout.split("\n")[0]).not.toBe(readlinkSync("/proc/self/ns/mnt"));
  });
});
