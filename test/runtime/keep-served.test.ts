/**
 * Kept files where nothing can be bound over the mount, which is the host's: its server reads the copy
 * instead of the image. What is read tells which of them it was, for here the copy is another text.
 */
import {
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { end, gone, isShared, joining, settled, warm } from "../support/holders.ts";
import { noise } from "../support/image.ts";
import {
  begin,
  cached,
  cacheOf,
  HOT,
  hotBytes,
  keepers,
  kept,
  settledIn,
  sha256,
} from "../support/kept.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, ways } from "../support/packed.ts";
import { encodeList, learnedFile, teach, withHeader } from "../support/start-list.ts";
import { userDirectory } from "../support/temporary.ts";

const [way] = ways.filter(({ strategy }) => strategy === "fusermount") as [(typeof ways)[number]];
const check = skipUnless("init", ...way.needs);
const bytes = Buffer.concat([hotBytes(), noise(1 << 21, "more")]);
const AT_ONCE = { FUSELAGE_KEEP: "1" };
const SUM = ["sh", "-c", `sha256sum < "$FUSELAGE_BUNDLE_DIR/${HOT}"`];

let file: string;
let number: number;
beforeAll(async () => {
  file = await pack({ run: runArguments, [HOT]: bytes, "data/cold": "x" }, { keepHot: [HOT] });
  await settled();
});

async function sum(home: string, env = {}, args: readonly string[] = SUM) {
  const outcome = await begin(way, file, home, env, args);
  expect(outcome).toMatchObject({ status: 0, stderr: "" });
  await settledIn(home);
  await gone(file);
  return outcome.stdout.slice(0, 64);
}

const copyIn = (home: string) => path.join(cacheOf(home), `${kept(home)[0]}`);

/** Another text of the same size, time and permissions. @returns its digest */
function replaced(home: string): string {
  const copy = copyIn(home);
  const { atime, mtime } = statSync(copy);
  const other = Buffer.from(readFileSync(copy).map((byte) => byte ^ 1));
  writeFileSync(copy, other);
  utimesSync(copy, atime, mtime);
  return sha256(other);
}

async function withCopy(env = {}) {
  const home = userDirectory();
  await sum(home, { ...AT_ONCE, ...env });
  await settledIn(home);
  expect(kept(home)).toHaveLength(1);
  return home;
}

describe("a mount of the host's", () => {
  check("the second start makes the copy, and the third reads it", async () => {
    const home = userDirectory();
    expect(await sum(home)).toBe(sha256(bytes));
    expect(keepers(home)).toEqual([]);
    await sum(home);
    await settledIn(home);
    expect(readFileSync(copyIn(home)).equals(bytes)).toBe(true);
    expect(await sum(home)).toBe(sha256(bytes));
    const other = replaced(home);
    expect(await sum(home)).toBe(other);
    expect(await sum(home, { FUSELAGE_LEARN: "0" })).toBe(other);
    expect(await sum(home, { FUSELAGE_KEEP: "0" })).toBe(sha256(bytes));
    expect(await sum(userDirectory())).toBe(sha256(bytes));
  });

  check("what is read ahead is the copy's too", async () => {
    const home = await withCopy();
    const stat = ["sh", "-c", `stat -c %i "$FUSELAGE_BUNDLE_DIR/${HOT}"`];
    number = Number((await begin(way, file, home, {}, stat)).stdout);
    await gone(file);
    expect(learnedFile(home)).toBeDefined();
    const pages = Math.ceil(bytes.length / 4096);
    const list = encodeList([
      { number, first: 0, pages },
      { number: number + 1, first: 0, pages: 1 },
    ]);
    teach(home, withHeader(list));
    const other = replaced(home);
    const slowly = [
      "sh",
      "-c",
      `stat "$FUSELAGE_BUNDLE_DIR/${HOT}" > /dev/null; sleep 1; ${SUM[2]}`,
    ];
    expect(await sum(home, {}, slowly)).toBe(other);
  });

  check("later starts share it", async () => {
    const home = await withCopy();
    const other = replaced(home);
    try {
      const first = await begin(way, file, home, warm(), SUM);
      const second = await joining(() => begin(way, file, home, warm(), SUM));
      expect([first, second].map(isShared)).toEqual([false, true]);
      expect([first.stdout, second.stdout].map((text) => text.slice(0, 64))).toEqual([
        other,
        other,
      ]);
    } finally {
      await end(file);
    }
  });

  check("of a copy that is cut or removed meanwhile, the image has the rest", async () => {
    const rest = (change: string) => [
      "sh",
      "-c",
      `head -c 100 "$FUSELAGE_BUNDLE_DIR/${HOT}" > /dev/null; cd "$HOME/.fuselage/cache"; ${change}; ${SUM[2]}`,
    ];
    for (const change of ["truncate -s 1000 *.644.*[0-9]", "truncate -s 0 *.644.*[0-9]", "rm *"]) {
      const home = await withCopy();
      expect([change, await sum(home, {}, rest(change))]).toEqual([change, sha256(bytes)]);
    }
  });

  check("a copy that is not as it was made is not used, but made anew", async () => {
    for (const change of [
      (copy: string) => truncateSync(copy, 5000),
      (copy: string) => utimesSync(copy, 1, 1),
    ]) {
      const home = await withCopy();
      change(copyIn(home));
      expect(await sum(home, AT_ONCE)).toBe(sha256(bytes));
      await settledIn(home);
      expect(readFileSync(copyIn(home)).equals(bytes)).toBe(true);
    }
  });

  check("a low limit of open files costs the copy, nothing else", async () => {
    const home = await withCopy();
    const limited = ["sh", "-c", `ulimit -n 24; exec "$0" "$@"`, file, ...SUM];
    const outcome = await begin({ ...way }, "/bin/sh", home, {}, limited.slice(1));
    expect(outcome.stdout.slice(0, 64)).toBe(sha256(bytes));
    await gone(file);
  });

  check("nothing is left of it but the file and its mark", async () => {
    const home = await withCopy();
    expect(cached(home)).toHaveLength(2);
    expect(readdirSync(path.join(home, ".fuselage")).sort()).toEqual(
      expect.arrayContaining(["cache", "starts"]),
    );
  });
});
