/**
 * What a first start reads is noted, and the next one has it before it asks. Whatever stands in the
 * note, files have the bytes that were packed.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { gone, processesOf } from "../support/holders.ts";
import { noise } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, start, type Way, ways } from "../support/packed.ts";
import { asUser, isRoot, ordinaryUser, root, run, signalListed } from "../support/process.ts";
import { trials } from "../support/random.ts";
import {
  encodeList,
  learned,
  learnedFile,
  type Run,
  teach,
  varint,
  withHeader,
  zigzag,
} from "../support/start-list.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import { until } from "../support/until.ts";

const PAGES = 2048;
/** Pages of a block. */
const BLOCK = 32;
const large = noise(PAGES * 4096 - 100, "large");
const digest = createHash("sha256").update(large).digest("hex");

let file: string;
let numbers: { large: number; small: number; folder: number };
beforeAll(async () => {
  file = await pack({ run: runArguments, "data/large": large, "data/small": "packed\n" });
  const { stdout } = await run(file, [
    "sh",
    "-c",
    'cd "$FUSELAGE_BUNDLE_DIR" && stat -c %i data/large data/small data',
  ]);
  const [a = 0, b = 0, c = 0] = stdout.trim().split("\n").map(Number);
  numbers = { large: a, small: b, folder: c };
});

/**
 * Status of an app that was held up before a read, for about as long as a start is taken for over when nothing is read: half
 * a second, since its process began or the last read.
 */
const HELD_UP = 75;
/** In hundredths of a second; field 22 of proc_pid_stat(5) is the beginning. */
const inTime = `read -r stat </proc/$$/stat; set -- \${stat##*) }; last=\${20}
in_time() {
  read -r now rest </proc/uptime && now=\${now%.*}\${now#*.}
  test $((now - last)) -lt 22 || exit ${HELD_UP}
  last=$now
}`;

/** Reads these blocks of the large file, one after the other. */
const readingBy = (flags: string, blocks: readonly number[]) => [
  "sh",
  "-c",
  `${inTime}; cd "$FUSELAGE_BUNDLE_DIR/data"; in_time; ${blocks
    .map((at) => `dd if=large bs=128k count=1 skip=${at} ${flags} of=/dev/null 2>/dev/null`)
    .join(" && in_time && ")} && in_time`,
];
const reading = (...blocks: number[]) => readingBy("", blocks);
const blocksOf = (runs: readonly Run[] | undefined) => [
  ...new Set(
    (runs ?? [])
      .filter(({ number }) => number === numbers.large)
      .flatMap(({ first, pages }) =>
        Array.from({ length: pages }, (_, i) => Math.floor((first + i) / BLOCK)),
      ),
  ),
];
const chosen = [40, 3, 17, 18, 60, 5, 33, 50, 9, 22];

/** Which blocks the page cache gets whole, without one of them being read. */
const looking = (seconds: number, blocks = 0) => [
  "python3",
  "-c",
  `import os, runpy, sys
sys.argv = ["", os.environ["FUSELAGE_BUNDLE_DIR"] + "/data/large", "${seconds}", "${blocks * BLOCK}"]
runpy.run_path("${path.join(root, "test/support/resident.py")}")`,
];
const resident = (stdout: string) =>
  Array.from({ length: PAGES / BLOCK }, (_, i) => i).filter(
    (i) => !stdout.slice(i * BLOCK, (i + 1) * BLOCK).includes("0"),
  );

const served = ways.filter(({ strategy }) => ["fuse", "fusermount"].includes(strategy));
const makeHome = (way: Way) => (way.root ? temporaryDirectory() : userDirectory());
const begin = (way: Way, home: string, args: readonly string[], env = {}) =>
  start(way, file, args, home, { env: { FUSELAGE_LINGER: "0", ...env } });
/** A start, and the end of its server, which writes what was learned. It is made again where its reads were held up. */
async function whole(way: Way, home: string, args: readonly string[], env = {}) {
  const isReading = args[2]?.startsWith(inTime) === true;
  const known = isReading ? learnedFile(home) : undefined;
  const before = known === undefined ? undefined : readFileSync(known);
  for (;;) {
    const outcome = await begin(way, home, args, env);
    await gone(file);
    if (!isReading || outcome.status !== HELD_UP) {
      expect(outcome).toMatchObject({ status: 0, stderr: "" });
      return outcome.stdout;
    }
    const now = learnedFile(home);
    if (before !== undefined) teach(home, before);
    else if (now !== undefined) rmSync(now);
  }
}

/**
 * Which blocks a start has before it reads them. A machine that pages out what nobody touches may be quicker than a look
 * that waits for its turn: what it took is looked for in another start.
 */
async function had(way: Way, home: string, ...prefix: string[]): Promise<number[]> {
  const seen = new Set<number>();
  for (let tries = 0; tries < 5 && seen.size < chosen.length; tries++) {
    const shown = await whole(way, home, [...prefix, ...looking(40, chosen.length)]);
    for (const block of resident(shown)) seen.add(block);
  }
  return [...seen].sort((a, b) => a - b);
}

describe.each(served)("$title", (way) => {
  const check = skipUnless(...way.needs);
  const checkResident = skipUnless(...way.needs, "python3");

  checkResident("the second start has what the first one read, and nothing else", async () => {
    const home = makeHome(way);
    await whole(way, home, reading(...chosen));
    const runs = learned(home);
    expect(blocksOf(runs)).toEqual(chosen);
    expect(await had(way, home)).toEqual(chosen.toSorted((a, b) => a - b));
    // Nothing was missed, so nothing more was learned.
    expect(learned(home)).toEqual(runs);
    expect(resident(await whole(way, home, looking(0.5), { FUSELAGE_LEARN: "0" }))).toEqual([]);
  });

  checkResident("it has that too where all processors are busy", async () => {
    const home = makeHome(way);
    await whole(way, home, reading(...chosen));
    // A batch process that has looked the file up waits its turn before the kernel has the inode.
    const busy = Array.from({ length: 2 * availableParallelism() }, () =>
      spawn("sh", ["-c", "while :; do :; done"], { stdio: "ignore" }),
    );
    try {
      const stored = await had(way, home, "chrt", "--batch", "0");
      expect(stored).toEqual(chosen.toSorted((a, b) => a - b));
    } finally {
      for (const one of busy) one.kill();
    }
  });

  check("a start that reads much else adds it", async () => {
    const home = makeHome(way);
    await whole(way, home, reading(...chosen));
    const more = [62, 1, 2, 30];
    await whole(way, home, reading(...chosen, ...more));
    expect(blocksOf(learned(home))).toEqual([...chosen, ...more]);
  });

  check("a start that reads little learns that there is nothing to have", async () => {
    const home = makeHome(way);
    await whole(way, home, ["true"]);
    expect(learned(home)).toEqual([]);
  });

  check("of an image below 1 MiB nothing is learned", async () => {
    const home = makeHome(way);
    const small = await pack({ run: runArguments, "data/file": "packed" });
    const args = ["cat", "/dev/null"];
    const env = { FUSELAGE_LINGER: "0" };
    expect(await start(way, small, args, home, { env })).toMatchObject({ status: 0, stderr: "" });
    await gone(small);
    expect(existsSync(path.join(home, ".fuselage/starts"))).toBe(false);
  });

  check("the file is the user's own, and a few bytes", async () => {
    const home = makeHome(way);
    await whole(way, home, reading(...chosen));
    const { mode, uid, size } = statSync(learnedFile(home) ?? "");
    expect([mode, uid]).toEqual([0o100600, way.root ? 0 : ordinaryUser().uid]);
    expect(size).toBeLessThan(200);
    expect(statSync(path.join(home, ".fuselage/starts")).mode & 0o777).toBe(0o700);
  });

  check("--bundle-forget removes it", async () => {
    const home = makeHome(way);
    const forget = () => start(way, file, ["--bundle-forget"], home);
    expect(await forget()).toMatchObject({ status: 0, stdout: "" });
    await whole(way, home, reading(...chosen));
    const place = `${learnedFile(home)}`;
    expect(await forget()).toMatchObject({ status: 0, stdout: `${place}\n` });
    expect(existsSync(place)).toBe(false);
  });

  check("FUSELAGE_LEARN is 0 or 1", async () => {
    for (const value of ["nope", "2", "-1", "00x"]) {
      const refused = await begin(way, makeHome(way), ["true"], { FUSELAGE_LEARN: value });
      expect(refused.status).toBe(125);
      const words = `[E_VARIABLE] FUSELAGE_LEARN=${value}: expected a number from 0 to 1`;
      expect(refused.stderr).toContain(words);
    }
    const home = makeHome(way);
    await whole(way, home, reading(...chosen), { FUSELAGE_LEARN: "1" });
    expect(learnedFile(home)).toBeDefined();
  });

  check("FUSELAGE_LEARN=0 leaves nothing", async () => {
    const home = makeHome(way);
    await whole(way, home, reading(...chosen), { FUSELAGE_LEARN: "0" });
    expect(learnedFile(home)).toBeUndefined();
  });

  check(
    "a server that is killed leaves nothing that is used, and the next start learns",
    async () => {
      let home: string;
      let said: string;
      do {
        home = makeHome(way);
        const app = spawn(file, ["sh", "-c", `${reading(...chosen)[2]}; echo $?; exec cat`], {
          env: {
            PATH: process.env["PATH"],
            HOME: home,
            FUSELAGE_MOUNT: way.strategy,
            FUSELAGE_LINGER: "0",
          },
          ...(way.root ? {} : ordinaryUser()),
          stdio: ["pipe", "pipe", "ignore"],
        });
        said = await Promise.race([
          once(app.stdout, "data").then(([part]) => `${part}`),
          once(app, "exit").then(([status]) => `${status}\n`),
        ]);
        for (const pid of processesOf(file, "fuse")) signalListed(pid, "SIGKILL");
        app.kill("SIGKILL");
        await gone(file);
      } while (said === `${HELD_UP}\n`);
      expect(said).toBe("0\n");
      // It may have been quicker, and then the list is whole.
      if (learned(home) === undefined) {
        expect(readFileSync(learnedFile(home) ?? "").length).toBe(0);
        await whole(way, home, reading(...chosen));
      }
      expect(blocksOf(learned(home))).toEqual(chosen);
    },
  );

  check("several first starts at once leave one whole list", async () => {
    let home: string;
    let statuses: (number | null)[];
    do {
      home = makeHome(way);
      const four = [0, 1, 2, 3].map(() => begin(way, home, reading(...chosen)));
      statuses = (await Promise.all(four)).map(({ status }) => status);
      await gone(file);
    } while (statuses.includes(HELD_UP));
    expect(statuses).toEqual([0, 0, 0, 0]);
    expect(blocksOf(learned(home))).toEqual(chosen);
  });
});

const byRoot = (strategy: Way["strategy"]) =>
  ways.find((one) => one.root && one.strategy === strategy) as Way;

describe("by the kernel's own squashfs", () => {
  const loop = byRoot("loop");
  const check = skipUnless(...loop.needs, "fuse", "python3");

  check("what a start by FUSE has learned is there before it is read", async () => {
    const home = temporaryDirectory();
    await whole(byRoot("fuse"), home, reading(...chosen));
    const before = readFileSync(learnedFile(home) ?? "");
    expect(await had(loop, home)).toEqual(chosen.toSorted((a, b) => a - b));
    expect(readFileSync(learnedFile(home) ?? "").equals(before)).toBe(true);
    expect(resident(await whole(loop, home, looking(0.5), { FUSELAGE_LEARN: "0" }))).toEqual([]);
  });

  check("a list that is wrong changes no byte", async () => {
    const home = temporaryDirectory();
    await whole(byRoot("fuse"), home, reading(...chosen));
    for (const [what, list] of Object.entries(hostile())) {
      teach(home, withHeader(list));
      const sum = ["sh", "-c", 'sha256sum < "$FUSELAGE_BUNDLE_DIR/data/large"'];
      expect([what, await whole(loop, home, sum)]).toEqual([what, `${digest}  -\n`]);
    }
  });

  check("who reads ahead ends with the app", async () => {
    const home = temporaryDirectory();
    await whole(byRoot("fuse"), home, reading(...chosen));
    await whole(loop, home, ["true"]);
    const left = readdirSync("/proc").filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("fuselage-page") &&
          readFileSync(`/proc/${pid}/environ`, "utf8").includes(`HOME=${home}\0`)
        );
      } catch {
        return false;
      }
    });
    expect(left).toEqual([]);
  });
});

const way = served.find(({ title }) => title === "fuse, as a user") as Way;
const check = skipUnless(...way.needs);

/** Lists that nobody should have made: each with a right checksum, so that it is the list that is read. */
function hostile(): Record<string, Buffer> {
  const one = (number: bigint, first: bigint, pages: bigint) =>
    Buffer.from([1, ...varint(number), ...varint(first), ...varint(pages)]);
  const n = zigzag(BigInt(numbers.large));
  const most = (1n << 64n) - 1n;
  return {
    "no version": Buffer.from([0, 2, 0, 1]),
    "a later version": Buffer.from([2, ...encodeList([]).subarray(1), 2, 0, 1]),
    "inode 0": one(0n, 0n, 1n),
    "a negative inode": one(5n, 0n, 1n),
    "an inode behind the last": one(zigzag(100_000n), 0n, 10n),
    "the largest number": one(most, most, most),
    "a number of 65 bits": Buffer.from([1, ...Array(9).fill(255), 3, 0, 1]),
    "a number without end": Buffer.from([1, ...Array(4000).fill(128)]),
    "a number that is cut off": Buffer.from([1, 2, 0, 130]),
    "half a run": Buffer.from([1, 2, 0]),
    "no pages": one(n, 0n, 0n),
    "a folder": encodeList([{ number: numbers.folder, first: 0, pages: 9 }]),
    "pages behind the end": one(n, zigzag(BigInt(PAGES)), 100n),
    "pages far behind the end": one(n, zigzag(1n << 40n), 1n << 40n),
    "more pages than there can be": one(n, 0n, most),
    "pages before the first": one(n, 1n, 3n),
    "too many runs": encodeList(
      Array.from({ length: 20_000 }, (_, i) => ({
        number: numbers.large,
        first: (i * 7) % PAGES,
        pages: 1,
      })),
    ),
    "too many bytes": Buffer.concat([encodeList([]), Buffer.alloc(70_000, 2)]),
    "every inode": encodeList(
      Array.from({ length: 12 }, (_, i) => ({ number: i + 1, first: 0, pages: 1 << 20 })),
    ),
  };
}

const doctor = async (home: string) =>
  (await begin(way, home, ["--bundle-doctor"], { FUSELAGE_MOUNT: undefined })).stdout;

check("the doctor says what list there is, and its size and age", async () => {
  const home = userDirectory();
  const none = "starts      nothing is learned of what they read";
  expect((await doctor(home)).split("\n")).toContain(none);
  expect(existsSync(path.join(home, ".fuselage/starts"))).toBe(false);
  await whole(way, home, reading(...chosen));
  const name = learnedFile(home) ?? "";
  const runs = learned(home) ?? [];
  const kib = runs.reduce((sum, { pages }) => sum + pages * 4, 0);
  const size = readFileSync(name).length - 16;
  const line = `starts      learned: ${kib} KiB in ${runs.length} ranges, by a list of ${size} bytes, used`;
  for (const [seconds, age] of [
    [0, "0 minutes"],
    [125, "2 minutes"],
    [2 * 3600 + 5, "2 hours"],
    [3 * 86400 + 5, "3 days"],
    [-1000, "0 minutes"],
  ] as const) {
    const time = Date.now() / 1000 - seconds;
    utimesSync(name, time, time);
    expect(await doctor(home)).toContain(`${line} ${age} ago\n`);
  }
  teach(home, withHeader(encodeList([])));
  expect(await doctor(home)).toContain(
    "starts      learned: nothing is read ahead, by an empty list, used 0 minutes ago\n",
  );
  teach(home, Buffer.from("nothing"));
  expect(await doctor(home)).toContain(none);
});

describe("a list that is wrong", () => {
  const reads = ["sh", "-c", 'cd "$FUSELAGE_BUNDLE_DIR/data" && sha256sum < large && cat small'];
  const right = `${digest}  -\npacked\n`;

  check("changes no byte that is read, whatever is wrong with it", async () => {
    const home = userDirectory();
    await whole(way, home, reading(...chosen));
    for (const [what, list] of Object.entries(hostile())) {
      teach(home, withHeader(list));
      expect([what, await whole(way, home, reads)]).toEqual([what, right]);
    }
    for (const [index, random] of trials(25)) {
      teach(home, withHeader(Buffer.concat([Buffer.from([1]), random.bytes(400)])));
      expect([index, await whole(way, home, reads)]).toEqual([index, right]);
    }
  });

  check("of another image neither", async () => {
    const home = userDirectory();
    const other = await pack({ run: runArguments, "a/b": noise(3 << 20, "b"), c: "c" });
    const outcome = await asUser(
      other,
      ["sh", "-c", 'cat "$FUSELAGE_BUNDLE_DIR/a/b" | wc -c'],
      home,
      {
        env: { FUSELAGE_MOUNT: "fuse" },
      },
    );
    expect(outcome.stdout.trim()).toBe(`${3 << 20}`);
    await gone(other);
    const foreign = readFileSync(learnedFile(home) ?? "");
    rmSync(learnedFile(home) ?? "");
    await whole(way, home, ["true"]);
    teach(home, foreign);
    expect(await whole(way, home, reads)).toBe(right);
  });

  check("or torn is learned anew", async () => {
    const home = userDirectory();
    await whole(way, home, reading(...chosen));
    const bytes = readFileSync(learnedFile(home) ?? "");
    const flipped = Buffer.from(bytes);
    flipped[20] = (flipped[20] ?? 0) ^ 1;
    const torn = {
      "no bytes": Buffer.alloc(0),
      "half the header": bytes.subarray(0, 9),
      "half the list": bytes.subarray(0, bytes.length - 3),
      "another byte": flipped,
      "another magic": Buffer.concat([Buffer.from("fuselrn2"), bytes.subarray(8)]),
      "a size of its own": Buffer.concat([bytes.subarray(0, 8), Buffer.alloc(8, 255)]),
      zeros: Buffer.alloc(300),
    };
    // Without the page cache, which reads on where it lost a page of what was read.
    const exactly = readingBy("iflag=direct", chosen);
    for (const [what, left] of Object.entries(torn)) {
      teach(home, left);
      await whole(way, home, exactly);
      expect([what, blocksOf(learned(home))]).toEqual([what, chosen]);
    }
  });
});

describe("where nothing can be noted", () => {
  const app = ["sh", "-c", 'cat "$FUSELAGE_BUNDLE_DIR/data/large" | wc -c'];
  const size = `${large.length}\n`;

  check("what stands in the file's place is not followed, nor trusted", async () => {
    const home = userDirectory();
    await whole(way, home, reading(...chosen));
    const name = learnedFile(home) ?? "";
    const target = path.join(home, "target");
    rmSync(name);
    writeFileSync(target, "mine");
    symlinkSync(target, name);
    expect(await whole(way, home, app)).toBe(size);
    expect(readFileSync(target, "utf8")).toBe("mine");
    rmSync(name);
    mkdirSync(name);
    expect(await whole(way, home, app)).toBe(size);
    rmSync(name, { recursive: true });
    writeFileSync(name, "", { mode: 0o600 });
    chmodSync(name, 0o666);
    chownSync(name, ordinaryUser().uid, ordinaryUser().gid);
    expect(await whole(way, home, app)).toBe(size);
    expect(statSync(name).size).toBe(0);
    rmSync(name);
    chownSync(target, ordinaryUser().uid, ordinaryUser().gid);
    chmodSync(target, 0o600);
    linkSync(target, name);
    expect(await whole(way, home, app)).toBe(size);
    expect(readFileSync(target, "utf8")).toBe("mine");
    rmSync(target);
    for (const [place, mode] of [
      [name, 0],
      [path.dirname(name), 0],
    ] as const) {
      chmodSync(place, mode);
      expect(await whole(way, home, app)).toBe(size);
      expect(await doctor(home)).toContain("starts      nothing is learned");
      chmodSync(place, 0o700);
    }
    rmSync(path.dirname(name), { recursive: true });
    writeFileSync(path.dirname(name), "a file");
    expect(await whole(way, home, app)).toBe(size);
  });

  skipUnless("root", ...way.needs)("on a full disk and a read-only one, starts go on", async () => {
    expect(isRoot).toBe(true);
    for (const options of ["size=8k,nr_inodes=6", "ro"]) {
      const home = userDirectory();
      const script = `mkdir "$0/h"; mount -t tmpfs -o mode=777,${options} h "$0/h"; cd "$0/h"
        mkdir .fuselage && chmod 700 .fuselage && chown 1000:1000 .fuselage
        head -c 100000 /dev/zero > full
        exec setpriv --reuid=1000 --regid=1000 --clear-groups env "HOME=$0/h" FUSELAGE_MOUNT=fuse "$@"`;
      const outcome = await run("unshare", ["-m", "sh", "-c", script, home, file, ...app]);
      expect([options, outcome.stdout]).toEqual([options, size]);
      await gone(file);
    }
  });
});

check("of many lists the oldest goes, and what nobody used for a month", async () => {
  const home = userDirectory();
  await whole(way, home, ["true"]);
  const folder = path.dirname(learnedFile(home) ?? "");
  rmSync(learnedFile(home) ?? "");
  const now = Date.now() / 1000;
  const name = (i: number) => path.join(folder, i.toString(16).padStart(32, "0"));
  for (let i = 0; i < 276; i++) {
    writeFileSync(name(i), "", { mode: 0o600 });
    utimesSync(name(i), now, now - (i < 20 ? 40 * 86_400 : 1000 - i));
  }
  writeFileSync(path.join(folder, "other"), "");
  await whole(way, home, ["true"]);
  expect(Array.from({ length: 20 }, (_, i) => existsSync(name(i)))).not.toContain(true);
  expect(readdirSync(folder).length).toBeLessThanOrEqual(257);
  expect(existsSync(name(20))).toBe(false);
  expect(existsSync(name(275)) && existsSync(path.join(folder, "other"))).toBe(true);
});

check("an app that goes on running is learned from when it has been quiet", async () => {
  for (;;) {
    const home = userDirectory();
    const app = spawn(
      file,
      ["sh", "-c", `${reading(...chosen, ...chosen.map((i) => i + 1))[2]}; exec cat`],
      {
        env: {
          PATH: process.env["PATH"],
          HOME: home,
          FUSELAGE_MOUNT: "fuse",
          FUSELAGE_LINGER: "0",
        },
        ...(isRoot ? ordinaryUser() : {}),
        stdio: ["pipe", "pipe", "ignore"],
      },
    );
    const closed = once(app, "close");
    await until(
      "a list of an app that runs",
      () => app.exitCode !== null || learned(home) !== undefined,
    );
    const seen = blocksOf(learned(home));
    app.stdin.end();
    const [status] = await closed;
    await gone(file);
    if (status === HELD_UP) continue;
    expect(seen.slice(0, chosen.length)).toEqual(chosen);
    return;
  }
});
