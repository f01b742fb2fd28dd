/** Large files that every start needs are made once, decompressed, and shared by bundles. */
import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { inspect } from "../../builder/api/inspect.ts";
import { errnoCode } from "../../builder/errors.ts";
import { runArguments } from "../support/bundle-of.ts";
import { end, isShared, joining, settled, warm } from "../support/holders.ts";
import {
  begin,
  cached,
  cacheOf,
  HOT,
  hotBytes,
  keepers,
  keeping,
  kept,
  LOOK,
  look,
  packHot,
  settledIn,
  sha256,
} from "../support/kept.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, type Way, ways } from "../support/packed.ts";
import { signalListed } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const bytes = hotBytes();
const digest = sha256(bytes);
let file: string;
let other: string;
beforeAll(async () => {
  file = await packHot(bytes);
  other = await pack({ run: runArguments, more: "x", [HOT]: bytes }, { keepHot: [HOT] });
  await settled();
});

/** Waits for whoever keeps files in $HOME, in a shell. */
const WAIT = `while grep -lszxF "HOME=$HOME" /proc/[0-9]*/environ | sed s/environ/comm/ |
  xargs -r grep -qsx -e fuselage-keeper -e app.run; do sleep 0.05; done`;
const AT_ONCE = { FUSELAGE_KEEP: "1" };
const homeFor = (way: Pick<Way, "root">) => (way.root ? temporaryDirectory() : userDirectory());

/** Of a process that is looked at: it has ended, and there is nothing to be seen. */
function endedMeanwhile(error: unknown): undefined {
  if (!["ENOENT", "ESRCH", "EACCES"].includes(errnoCode(error) ?? "")) throw error;
}

/** A home in which whoever makes a file was killed before there was one; it begins after a second. */
async function homeOfKilled(way: Way): Promise<string> {
  for (;;) {
    const home = homeFor(way);
    await look(way, file, home, AT_ONCE);
    for (const pid of keepers(home)) signalListed(pid, "SIGKILL");
    await settledIn(home);
    if (kept(home).length === 0) return home;
  }
}

test("a bundle records size, digest and path of what matches", async () => {
  const { manifest } = await inspect(file);
  expect(manifest?.keep).toEqual([`${bytes.length} ${digest} ${HOT}`]);
  const { manifest: none } = await inspect(await packHot(bytes, { keepHot: ["none"] }));
  expect(none?.keep).toBeUndefined();
});

describe.each(keeping)("$title", (way: Way) => {
  const check = skipUnless("init", "systemPython", ...way.needs);

  check("the second start that mounts makes it, the next has it", async () => {
    const home = homeFor(way);
    const plain = await look(way, file, home, { FUSELAGE_KEEP: "0" });
    expect(cached(home)).toEqual([]);
    expect(await look(way, file, home)).toEqual({ file: plain.file, mount: undefined });
    expect(keepers(home)).toEqual([]);
    expect(cached(home).map((name) => name.slice(64))).toEqual([expect.stringMatching(/\.used$/)]);
    expect((await look(way, file, home)).mount).toBeUndefined();
    await settledIn(home);
    expect(kept(home)).toEqual([expect.stringMatching(`^${digest}\\.644\\.\\d+$`)]);
    const third = await look(way, file, home);
    expect(third).toEqual({
      file: plain.file,
      mount: expect.stringMatching(/^ro,nosuid,nodev\b/),
    });
    expect(third.file).toContain(digest);
    expect(keepers(home)).toEqual([]);
  });

  check("FUSELAGE_KEEP=1 makes it at the first start; another bundle takes the same", async () => {
    const home = homeFor(way);
    await look(way, file, home, AT_ONCE);
    await settledIn(home);
    const [name, ...more] = kept(home);
    expect(more).toEqual([]);
    const { ino } = statSync(path.join(cacheOf(home), `${name}`));
    const script = `stat -c %i "$FUSELAGE_BUNDLE_DIR/${HOT}"`;
    const { stdout } = await begin(way, other, home, {}, ["sh", "-c", script]);
    expect(stdout.trim()).toBe(`${ino}`);
  });

  check("a start that shares a mount has it too, and one beside it keeps its own", async () => {
    const home = homeFor(way);
    const own = await packHot(bytes);
    await settled();
    await look(way, own, home, AT_ONCE);
    await settledIn(home);
    try {
      const first = await begin(way, own, home, warm());
      const second = await joining(() => begin(way, own, home, warm()));
      expect([first, second].map(isShared)).toEqual([false, true]);
      expect(second.stdout).toBe(first.stdout);
      expect(second.stdout).toContain("ro,nosuid,nodev");
      const env = { ...warm(), FUSELAGE_KEEP: "0" };
      const without = await joining(() => begin(way, own, home, env));
      expect(isShared(without)).toBe(true);
      expect(without.stdout).not.toContain("ro,nosuid,nodev");
    } finally {
      await end(own);
    }
  });

  check("starts at once make one file, and leave nothing else", async () => {
    const home = homeFor(way);
    await Promise.all([file, other, file].map((one) => look(way, one, home, AT_ONCE)));
    await settledIn(home);
    expect(kept(home)).toHaveLength(1);
    expect(cached(home)).toHaveLength(2);
  });

  check("who makes it is nobody's, and the last to get the processor", async () => {
    const observe = async (pid: number) => {
      const state = () =>
        readFileSync(`/proc/${pid}/stat`, "utf8")
          .replace(/^.*\) /, "")
          .split(" ");
      while (state()[38] !== "5") await sleep(5); // SCHED_IDLE: the last that it does before it waits
      const at = (name: string) => readlinkSync(`/proc/${pid}/${name}`);
      const descriptors = ["fd/0", "fd/1", "fd/2", "fd/3"].map(at);
      const last = existsSync(`/proc/${pid}/fd/6`);
      const namespaces = ["mnt", "user"].map((name) => at(`ns/${name}`));
      const fields = state();
      const process = [fields[1], fields[3], fields[38]];
      return { cwd: at("cwd"), descriptors, last, namespaces, process };
    };
    for (;;) {
      const home = homeFor(way);
      await look(way, file, home, AT_ONCE);
      const [pid, ...more] = keepers(home);
      expect(more).toEqual([]);
      // It waits for a second, in which it can be looked at; on a slow machine it may be over by now.
      const seen = pid === undefined ? undefined : await observe(pid).catch(endedMeanwhile);
      await settledIn(home);
      if (seen === undefined) continue;
      expect(seen).toEqual({
        cwd: "/",
        descriptors: ["/dev/null", "/dev/null", "/dev/null", cacheOf(home)],
        last: false,
        namespaces: ["mnt", "user"].map((name) => readlinkSync(`/proc/self/ns/${name}`)),
        process: ["1", `${pid}`, "5"],
      });
      return;
    }
  });

  check("whoever else adopts it waits for it as long as the app runs, and no longer", async () => {
    let home = homeFor(way);
    const adopt = `import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
while True:
    try: os.wait()
    except ChildProcessError: break
`;
    const started = (app: string) => {
      const args = ["-c", adopt, "sh", "-c", '"$@"; exit $?', "sh", file, "sh", "-c", app];
      return begin(way, "/usr/bin/python3", home, AT_ONCE, args);
    };
    // It begins after a second, so for an app that takes longer to end it is over by then.
    for (;;) {
      expect((await started("true")).stderr).toBe("");
      expect(keepers(home)).toEqual([]);
      if (kept(home).length === 0) break;
      home = homeFor(way);
    }
    const patient = 'until ls "$FUSELAGE_HOME/cache" | grep -q "[0-9]$"; do sleep 0.1; done';
    expect((await started(patient)).stderr).toBe("");
    expect(kept(home)).toHaveLength(1);
    expect(keepers(home)).toEqual([]);
  });

  check("killed, it leaves what the next one takes away or goes on with", async () => {
    const home = await homeOfKilled(way);
    // As one that was in the middle of it.
    const mark = cached(home)[0] as string;
    const partial = path.join(cacheOf(home), mark.replace(/\.used$/, ".partial"));
    const as = way.root ? {} : { uid: 1000, gid: 1000 };
    execFileSync("sh", ["-c", `umask 077; printf 'half of it' > "$0"`, partial], as);
    await look(way, file, home);
    await settledIn(home);
    expect(kept(home)).toHaveLength(1);
    expect(existsSync(partial)).toBe(false);
    expect((await look(way, file, home)).file).toContain(digest);
  });

  check("whoever finds it being made leaves it alone", async () => {
    const home = await homeOfKilled(way);
    const mark = cached(home)[0] as string;
    const partial = path.join(cacheOf(home), mark.replace(/\.used$/, ".partial"));
    const as = way.root ? {} : { uid: 1000, gid: 1000 };
    const script = 'exec 3>"$0"; flock 3; echo; read x';
    const holder = spawn("sh", ["-c", script, partial], {
      ...as,
      stdio: ["pipe", "pipe", "inherit"],
    });
    try {
      await new Promise((resolve) => holder.stdout.once("data", resolve));
      await look(way, file, home);
      await settledIn(home);
      expect(kept(home)).toEqual([]);
      expect(existsSync(partial)).toBe(true);
    } finally {
      holder.kill("SIGKILL");
    }
  });

  check("the doctor shows it, and --bundle-forget removes it", async () => {
    const home = homeFor(way);
    const ask = (option: string) => begin(way, file, home, { FUSELAGE_MOUNT: undefined }, [option]);
    expect((await ask("--bundle-forget")).status).toBe(0);
    expect((await ask("--bundle-doctor")).stdout).toMatch(new RegExp(`^not kept +${HOT}$`, "m"));
    expect(cached(home)).toEqual([]);
    await look(way, file, home, AT_ONCE);
    await settledIn(home);
    const [name] = kept(home);
    expect((await ask("--bundle-doctor")).stdout).toMatch(new RegExp(`^kept +${HOT}$`, "m"));
    const place = path.join(cacheOf(home), `${name}`);
    expect(await ask("--bundle-forget")).toMatchObject({ status: 0, stdout: `${place}\n` });
    expect(cached(home)).toEqual([]);
    expect((await look(way, file, home)).mount).toBeUndefined();
    const more = await begin(way, file, home, {}, ["--bundle-forget", "x"]);
    expect(more.stderr).toContain("E_OPTION_UNKNOWN");
  });
});

const [way] = keeping.filter(({ root }) => root) as [Way];
const check = skipUnless("init", ...way.needs);

describe("what is kept in all", () => {
  check("has as many bytes as it may, and the file unused longest goes first", async () => {
    const home = temporaryDirectory();
    const files = await Promise.all(["x", "y", "z"].map((seed) => packHot(hotBytes(seed))));
    const size = { FUSELAGE_KEEP: "2M" }; // two of them
    const [x, y, z] = ["x", "y", "z"].map((seed) => sha256(hotBytes(seed)));
    for (const [i, one] of files.entries()) {
      await look(way, one, home, size);
      await settledIn(home);
      const mark = cached(home).find(
        (name) => name.startsWith([x, y, z][i] as string) && name.endsWith(".used"),
      );
      utimesSync(path.join(cacheOf(home), mark as string), 0, Date.now() / 1000 - 3600 * (9 - i));
    }
    expect(
      kept(home)
        .map((name) => name.slice(0, 64))
        .sort(),
    ).toEqual([y, z].sort());
    const large = temporaryDirectory();
    await look(way, files[0] as string, large, { FUSELAGE_KEEP: "1M" });
    await look(way, files[0] as string, large, { FUSELAGE_KEEP: "1M" });
    await settledIn(large);
    expect(kept(large)).toHaveLength(hotBytes("x").length <= 1 << 20 ? 1 : 0);
  });

  check("goes when it was not used for the days that the cache keeps anything", async () => {
    const home = temporaryDirectory();
    const cache = cacheOf(home);
    await look(way, file, home); // which makes the folder
    const names = ["a", "b", "c"].map((digit) => `${digit.repeat(64)}.755.0`);
    const days = (count: number) => Date.now() / 1000 - count * 86400;
    for (const [i, age] of [31, 29].entries()) {
      writeFileSync(path.join(cache, names[i] as string), "");
      writeFileSync(path.join(cache, `${names[i]}.used`), "");
      utimesSync(path.join(cache, `${names[i]}.used`), 0, days(age));
    }
    writeFileSync(path.join(cache, names[2] as string), ""); // without a mark
    for (const [ending, age] of [
      ["old.partial", 1],
      ["new.partial", 0],
    ] as const) {
      writeFileSync(path.join(cache, `${"d".repeat(64)}.${ending}`), "");
      utimesSync(path.join(cache, `${"d".repeat(64)}.${ending}`), 0, days(age));
    }
    writeFileSync(path.join(cache, "mine"), "");
    await look(way, file, home);
    await settledIn(home);
    const left = cached(home).filter((name) => !name.startsWith(digest));
    expect(left.sort()).toEqual(
      [names[1], `${names[1]}.used`, `${"d".repeat(64)}.new.partial`, "mine"].sort(),
    );
    // A start that only uses it looks after the others once a day.
    writeFileSync(path.join(cache, names[2] as string), "");
    await look(way, file, home);
    await settledIn(home);
    expect(existsSync(path.join(cache, names[2] as string))).toBe(true);
    const mark = path.join(
      cache,
      cached(home).find((name) => name.startsWith(digest) && name.endsWith(".used")) as string,
    );
    utimesSync(mark, 0, days(40));
    expect((await look(way, file, home)).mount).toBeDefined();
    await settledIn(home);
    expect(existsSync(path.join(cache, names[2] as string))).toBe(false);
    expect(kept(home).some((name) => name.startsWith(digest))).toBe(true);
    expect(statSync(mark).mtimeMs).toBeGreaterThan(days(1) * 1000);
  });
});

describe("FUSELAGE_KEEP", () => {
  for (const text of ["2", "x", "1.5G", "-1", "1k", "99999999999G", "1M "]) {
    test(`${JSON.stringify(text)} is refused`, async () => {
      const env = { FUSELAGE_KEEP: text };
      const { status, stderr } = await begin(way, file, temporaryDirectory(), env);
      expect(status).toBe(125);
      expect(stderr).toContain(`[E_VARIABLE] FUSELAGE_KEEP=${text}: expected 0, 1 or a size`);
    });
  }

  check("0 neither makes nor uses it", async () => {
    const home = temporaryDirectory();
    await look(way, file, home, AT_ONCE);
    await settledIn(home);
    expect((await look(way, file, home, { FUSELAGE_KEEP: "0" })).mount).toBeUndefined();
    expect((await look(way, file, home, { FUSELAGE_KEEP: "16G" })).mount).toBeDefined();
  });
});

describe("starts that could not use it make none", () => {
  const others = ways.filter(({ strategy }) => strategy === "extract");
  for (const one of others)
    skipUnless("init", ...one.needs)(`${one.title}`, async () => {
      const home = homeFor(one);
      for (let i = 0; i < 2; i++) {
        const outcome = await begin(one, file, home, AT_ONCE);
        expect(outcome).toMatchObject({ status: 0, stderr: "" });
        expect(outcome.stdout).toContain(digest);
      }
      expect(keepers(home)).toEqual([]);
      expect(kept(home)).toEqual([]);
    });

  check("those of a service, and of a bundle whose files may be changed", async () => {
    const home = temporaryDirectory();
    await look(way, file, home, { ...AT_ONCE, INVOCATION_ID: "1" });
    expect(keepers(home)).toEqual([]);
    const writable = await packHot(bytes, { writable: true });
    const script = `echo more >> "$FUSELAGE_BUNDLE_DIR/${HOT}"`;
    const outcome = await begin(way, writable, home, AT_ONCE, ["sh", "-c", script]);
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    expect([keepers(home), kept(home)]).toEqual([[], []]);
  });
});

describe("a home that cannot hold it goes without", () => {
  const inHome = async (options: string, before = ":") => {
    const home = temporaryDirectory();
    mkdirSync(path.join(home, ".fuselage"));
    const script = `mount -t tmpfs -o mode=755,${options} none "$HOME/.fuselage" && ${before} &&
      "$0" "$@" && ${WAIT} && "$0" "$@" && ls -A "$HOME/.fuselage/cache" 2>/dev/null; true`;
    return begin({ ...way, root: true }, "unshare", home, AT_ONCE, [
      "-m",
      "sh",
      "-c",
      script,
      file,
      ...LOOK,
    ]);
  };
  const size = `size=${4 * hotBytes().length}`;

  check("and one that can holds it", async () => {
    const { stdout, stderr } = await inHome(size);
    expect(stderr).toBe("");
    expect(stdout.split("\n").filter((line) => line.startsWith("ro,"))).toHaveLength(1);
  });

  const homes: [string, string, string?][] = [
    ["noexec", `${size},noexec`],
    ["too small for the file", `size=${hotBytes().length >> 1}`],
    ["without room for others beside it", `size=${hotBytes().length + 65536}`],
    ["read-only", size, 'mount -o remount,ro "$HOME/.fuselage"'],
    ["without names to be had", `${size},nr_inodes=3`],
  ];
  for (const [title, options, before] of homes)
    check(title, async () => {
      const { status, stdout, stderr } = await inHome(options, before);
      expect([status, stderr]).toEqual([0, ""]);
      expect(stdout.match(new RegExp(digest, "g"))?.length).toBeGreaterThanOrEqual(2);
      expect(stdout).not.toMatch(/^ro,|partial$|\.644\.\d+$/m);
    });

  check("noexec only since it was made", async () => {
    const script = `mount -t tmpfs -o mode=755,${size} none "$HOME/.fuselage" && "$0" "$@" && ${WAIT} &&
      ls "$HOME/.fuselage/cache" && mount -o remount,noexec "$HOME/.fuselage" && "$0" "$@"`;
    const home = temporaryDirectory();
    mkdirSync(path.join(home, ".fuselage"));
    const { stdout, stderr } = await begin(way, "unshare", home, AT_ONCE, [
      "-m",
      "sh",
      "-c",
      script,
      file,
      ...LOOK,
    ]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/\.644\.\d+$/m);
    expect(stdout).not.toMatch(/^ro,/m);
  });
});

test("globs that match nothing, and files with rights of their own, are told", async () => {
  const { build } = await import("../../builder/api/build.ts");
  const dir = temporaryDirectory();
  const input = path.join(dir, "app");
  mkdirSync(input);
  for (const [name, mode] of [
    ["run", 0o755],
    ["set", 0o4755],
    ["open", 0o666],
    ["fine", 0o644],
  ] as const) {
    writeFileSync(path.join(input, name), "#!/bin/sh\n");
    execFileSync("chmod", [mode.toString(8), path.join(input, name)]);
  }
  const made = async (keepHot: string[]) => {
    const options = { input, output: path.join(dir, "out.run"), entry: "run", keepHot };
    const { warnings, manifest } = await build(options);
    const told = warnings.filter(({ code }) => code === "W_KEEP_HOT").map(({ message }) => message);
    return { told, keep: manifest.keep?.map((text) => text.split(" ")[2]) };
  };
  expect(await made(["nothing/*"])).toEqual({
    told: ["nothing/* is to be kept by starts and matches no file"],
    keep: undefined,
  });
  const { told, keep } = await made(["*e*", "fine"]);
  expect(keep).toEqual(["fine"]);
  expect(told).toEqual([expect.stringMatching(/^open, set is not kept by starts/)]);
});
