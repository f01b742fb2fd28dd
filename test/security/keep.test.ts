/**
 * What is kept for later starts is taken only as this user's starts have made it, and made only as the
 * bundle says that it is. Nothing in a home leads whoever makes it to another file.
 */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { bundleOf, mksquashfs, runArguments } from "../support/bundle-of.ts";
import { writeFiles } from "../support/case.ts";
import {
  begin,
  cached,
  cacheOf,
  HOT,
  hotBytes,
  keepers,
  keeping,
  kept,
  look,
  packHot,
  settledIn,
  sha256,
} from "../support/kept.ts";
import { skipUnless } from "../support/needs.ts";
import type { Way } from "../support/packed.ts";
import { ordinaryUser, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const bytes = hotBytes();
const digest = sha256(bytes);
const AT_ONCE = { FUSELAGE_KEEP: "1" };
let file: string;
let name: string;
beforeAll(async () => {
  file = await packHot(bytes);
  const { status, stdout } = await run(file, [
    "sh",
    "-c",
    `stat -c %Y "$FUSELAGE_BUNDLE_DIR/${HOT}"`,
  ]);
  expect(status).toBe(0);
  name = `${digest}.644.${stdout.trim()}`;
});

/** A home in which it is kept. */
async function homeWithIt(way: Way): Promise<string> {
  const home = way.root ? temporaryDirectory() : userDirectory();
  await look(way, file, home, AT_ONCE);
  await settledIn(home);
  expect(kept(home)).toEqual([name]);
  return home;
}

/** What stands there in place of it; `other` is a copy of it beside, of the same user. */
const wrong: [string, (place: string, other: string) => void][] = [
  [
    "a link to the same bytes",
    (place, other) => {
      renameSync(place, other);
      symlinkSync(other, place);
    },
  ],
  ["a file with another name", (place, other) => linkSync(place, other)],
  ["one that a group can write to", (place) => chmodSync(place, 0o664)],
  ["one that everybody can write to", (place) => chmodSync(place, 0o646)],
  ["one with a set-id bit", (place) => chmodSync(place, 0o4644)],
  ["one that is shorter", (place) => truncateSync(place, bytes.length - 1)],
  ["one that is longer", (place) => truncateSync(place, bytes.length + 1)],
  ["one that was written to", (place) => writeFileSync(place, bytes.subarray(1), { flag: "r+" })],
  ["one of another user", (place) => chownSync(place, 1001, 1001)],
  [
    "a folder",
    (place) => {
      rmSync(place);
      mkdirSync(place);
    },
  ],
];

describe.each(keeping)("$title", (way: Way) => {
  const check = skipUnless("root", "init", ...way.needs);
  const { uid, gid } = way.root ? { uid: 0, gid: 0 } : ordinaryUser();

  check("what is not as it was made is not taken, and made anew", async () => {
    await Promise.all(
      wrong.map(async ([title, put]) => {
        const home = await homeWithIt(way);
        const place = path.join(cacheOf(home), name);
        put(place, path.join(home, "other"));
        const seen = await look(way, file, home);
        expect([title, seen.mount]).toEqual([title, undefined]);
        expect(seen.file).toContain(digest);
        await settledIn(home);
        const isFolder = lstatSync(place).isDirectory(); // which is somebody's, and stays
        const { mount } = await look(way, file, home);
        expect([title, mount === undefined]).toEqual([title, isFolder]);
        const { uid: owner, nlink, size } = lstatSync(place);
        if (!isFolder) expect([title, owner, nlink, size]).toEqual([title, uid, 1, bytes.length]);
        expect(cached(home).filter((one) => one.endsWith(".partial"))).toEqual([]);
      }),
    );
  });

  check("a partial and a mark that lead elsewhere lead nowhere", async () => {
    for (const put of [symlinkSync, linkSync]) {
      const home = way.root ? temporaryDirectory() : userDirectory();
      const victim = path.join(home, "victim");
      writeFileSync(victim, "precious\n");
      chownSync(victim, uid, gid);
      utimesSync(victim, 1, 1);
      await look(way, file, home);
      const place = path.join(cacheOf(home), name);
      rmSync(`${place}.used`);
      put(victim, `${place}.partial`);
      put(put === symlinkSync ? path.join(home, "nothing") : victim, `${place}.used`);
      for (let i = 0; i < 3; i++) {
        await look(way, file, home, AT_ONCE);
        await settledIn(home);
      }
      expect(readFileSync(victim, "utf8")).toBe("precious\n");
      expect(lstatSync(victim).mode & 0o777).toBe(0o644);
      expect(existsSync(path.join(home, "nothing"))).toBe(false);
      expect(kept(home)).toEqual([name]);
    }
  });

  check("a cache that others can write to is not used, and nobody is told", async () => {
    const home = await homeWithIt(way);
    const cache = cacheOf(home);
    const goesWithout = async () => {
      const outcome = await begin(way, file, home, AT_ONCE);
      expect(outcome).toMatchObject({ status: 0, stderr: "" });
      expect(outcome.stdout).toContain(digest);
      expect(outcome.stdout).not.toContain("ro,nosuid");
      expect(keepers(home)).toEqual([]);
    };
    chmodSync(cache, 0o777);
    await goesWithout();
    chmodSync(cache, 0o700);
    chownSync(cache, 1001, 1001);
    await goesWithout();
    chownSync(cache, uid, gid);
    renameSync(cache, `${cache}.moved`);
    symlinkSync(`${cache}.moved`, cache);
    await goesWithout();
  });

  check("bytes that are not what the bundle says are kept under no name", async () => {
    const dir = temporaryDirectory();
    writeFiles(dir, { run: runArguments, [HOT]: hotBytes("other") });
    const image = await mksquashfs(dir, "-all-root");
    const lying = await bundleOf(image, { keep: [`${bytes.length} ${digest} ${HOT}`] });
    let tried: number[];
    do {
      const home = way.root ? temporaryDirectory() : userDirectory();
      const seen = await look(way, lying, home, AT_ONCE);
      expect(seen.file).toContain(sha256(hotBytes("other")));
      // One begins a second after the start, so on a slow machine it may be over by now.
      tried = keepers(home);
      await settledIn(home);
      expect(cached(home).map((one) => one.slice(-5))).toEqual([".used"]);
    } while (tried.length === 0);
    expect(tried).toHaveLength(1);
  });
});

const [way] = keeping as [Way];
const check = skipUnless("root", "init", "mksquashfs", ...way.needs);

describe("records of any maker", () => {
  const size = bytes.length;
  const records = [
    `${size} ${digest} ../${HOT}`,
    `${size} ${digest} /etc/passwd`,
    `${size} ${digest} link`,
    `${size} ${digest} folder/hot`,
    `${size} ${digest} data`,
    `${size} ${digest} set`,
    `${size} ${digest} open`,
    `${size + 1} ${digest} ${HOT}`,
    `-1 ${digest} ${HOT}`,
    `99999999999999999999999 ${digest} ${HOT}`,
    `${size} ${digest.slice(1)} ${HOT}`,
    `${size} ${digest}0 ${HOT}`,
    `${size} ${digest.toUpperCase()} ${HOT}`,
    `${size} ${digest} `,
    `${size} ${digest}`,
    `${size}`,
    " ",
    "",
  ];

  check("make nothing, and the app starts as it would without", async () => {
    const dir = temporaryDirectory();
    writeFiles(dir, { run: runArguments, [HOT]: bytes, set: bytes, open: bytes });
    symlinkSync(HOT, path.join(dir, "link"));
    symlinkSync("data", path.join(dir, "folder"));
    chmodSync(path.join(dir, "set"), 0o4755);
    chmodSync(path.join(dir, "open"), 0o666);
    const image = await mksquashfs(dir, "-all-root");
    for (const record of records) {
      const home = temporaryDirectory();
      const seen = await look(way, await bundleOf(image, { keep: [record] }), home, AT_ONCE);
      expect([record, seen.mount]).toEqual([record, undefined]);
      await settledIn(home);
      // What is found by a way round in the image is kept, but bound to no place.
      if (record.includes(" folder/") || record.includes("../")) continue;
      expect([record, kept(home)]).toEqual([record, []]);
    }
  });

  check("more than there is room for are passed over", async () => {
    const dir = temporaryDirectory();
    const names = Array.from({ length: 20 }, (_, i) => `hot${i}`);
    const files = names.map((one) => [one, Buffer.from(one)] as const);
    writeFiles(dir, { run: runArguments, [HOT]: bytes, ...Object.fromEntries(files) });
    const keep = files.map(([one, text]) => `${text.length} ${sha256(text)} ${one}`);
    const bundle = await bundleOf(await mksquashfs(dir, "-all-root"), { keep });
    const home = temporaryDirectory();
    await look(way, bundle, home, AT_ONCE);
    await settledIn(home);
    expect(kept(home)).toHaveLength(8);
    const script = 'cd "$FUSELAGE_BUNDLE_DIR"; cat hot*';
    const { stdout } = await begin(way, bundle, home, {}, ["sh", "-c", script]);
    expect(stdout).toBe([...names].sort().join(""));
  });
});

check("with a set-id bit a bundle keeps and takes nothing", async () => {
  const home = userDirectory();
  const user = keeping.find(({ root }) => !root) as Way;
  await look(user, file, home, AT_ONCE);
  await settledIn(home);
  const dir = temporaryDirectory();
  const setuid = path.join(dir, "app.run");
  copyFileSync(file, setuid);
  chmodSync(setuid, 0o4755);
  const env = { ...AT_ONCE, FUSELAGE_MOUNT: undefined, FUSELAGE_DEBUG: "1" };
  const outcome = await begin(user, setuid, home, env, ["true"]);
  expect(outcome.status).toBe(0);
  expect(outcome.stderr).toMatch(/^fuselage: mounted by/);
  const empty = userDirectory();
  await begin(user, setuid, empty, env, ["true"]);
  expect(keepers(empty)).toEqual([]);
  expect(kept(empty)).toEqual([]);
});
