/** Starts of the same image by the same user share one mount, and nobody else's do. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect } from "vitest";
import { mksquashfs, runArguments } from "../support/bundle-of.ts";
import {
  end,
  gone,
  holderOf,
  isShared,
  joining,
  LONG,
  processesOf,
  settled,
  statusOf,
  warm,
} from "../support/holders.ts";
import { leftovers } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, start, type Way, ways } from "../support/packed.ts";
import {
  asUser,
  fuselage,
  hasEnded,
  type Outcome,
  ordinaryUser,
  type RunOptions,
  run,
  signalListed,
} from "../support/process.ts";
import { startsOf } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let file: string;
beforeAll(async () => {
  file = await pack({ run: runArguments, "data/file": "packed\n" });
  await settled();
});

const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await end(file);
});

const holder = () => holderOf(file);

const shareable = ways.filter(({ strategy }) => strategy !== "extract");

describe.each(shareable)("$title", (way: Way) => {
  const check = skipUnless("init", ...way.needs);
  const makeHome = () => (way.root ? temporaryDirectory() : userDirectory());
  const begin = (args: readonly string[], home: string, options: RunOptions = {}, of = file) =>
    start(way, of, args, home, { ...options, env: { ...warm(), ...options.env } });
  const launch = (home: string, script: string): ChildProcess => {
    const child = spawn(file, ["sh", "-c", script], {
      env: { PATH: process.env["PATH"], HOME: home, FUSELAGE_MOUNT: way.strategy, ...warm("1") },
      ...(way.root ? {} : ordinaryUser()),
      stdio: ["pipe", "pipe", "ignore"],
    });
    children.push(child);
    return child;
  };

  const onHost = way.strategy === "fusermount";
  /** What the runner shows to a command is that command's alone, so it is never on the host by choice. */
  const checkRunner = onHost ? () => {} : check;

  check("a later start has the same mount, in a namespace at a place of its own", async () => {
    const home = makeHome();
    const script =
      'stat -c %d "$FUSELAGE_BUNDLE_DIR"; cd "$FUSELAGE_BUNDLE_DIR/../.." && pwd; ls ..';
    const first = await begin(["sh", "-c", `${script}; : > "$FUSELAGE_TMPDIR/secret"`], home);
    const again = ["sh", "-c", `${script}; ls "$FUSELAGE_TMPDIR"`];
    const second = await joining(() => begin(again, home));
    expect([first, second].map(isShared)).toEqual([false, true]);
    const [device, place, ...places] = first.stdout.trim().split("\n");
    const [sameDevice, otherPlace, ...otherPlaces] = second.stdout.trim().split("\n");
    const [own, otherOwn] = [place, otherPlace].map((one) => path.basename(one as string));
    expect(sameDevice).toBe(device);
    expect(otherPlace === place).toBe(onHost);
    expect(otherPlace).toBe(path.join(startsOf(way), otherOwn as string));
    // Where the host sees them they are beside those of every other start, of whatever bundle.
    if (onHost) {
      expect(places).toContain(own);
      expect(otherPlaces).toContain(otherOwn);
    } else {
      expect([places, otherPlaces]).toEqual([[own], [otherOwn]]);
    }
    expect(processesOf(file, "fuse")).toHaveLength(way.strategy === "loop" ? 0 : 1);
    await holder();
  });

  check("the app is what it is after a start of its own", async () => {
    const home = makeHome();
    // Without the number of a loop device, and what other test files mount on the host meanwhile.
    const ours = `index($0, "${home}/") || index($0, "${file}")`;
    const script = String.raw`
      grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigBlk|SigIgn|Threads)' /proc/self/status
      cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups /proc/self/limits; umask; pwd
      sed 's/^[0-9]* [0-9]* [0-9]*:[0-9]* //; s/[0-9]*$//; s/master:[0-9]*//; s/\(fuselage-[0-9]*\|fuselage-[0-9]*-mounts\|fuselage-starts\)\/[0-9]*/P/; s/loop[0-9]*/loop/' /proc/self/mountinfo |
        awk '!/fuselage-test-|fuse[.]fuselage/ || ${ours}' | sort
      ls -l /proc/self/fd | grep -c . ; readlink /proc/self/ns/pid /proc/self/ns/net; nice
      read children < /proc/$$/task/$$/children; echo "[$children]"`;
    const ask = (linger: string) =>
      begin(["sh", "-c", script], home, { cwd: "/tmp", env: warm(linger) });
    const alone = await ask("0");
    const first = await ask(LONG);
    const second = await joining(() => ask(LONG));
    expect([alone, first, second].map(isShared)).toEqual([false, false, true]);
    expect(first.stdout).toBe(alone.stdout);
    expect(second.stdout).toBe(alone.stdout);
  });

  check("a run keeps the mount for later ones as long as it lasts, and then a second", async () => {
    const home = makeHome();
    const child = launch(home, "echo up; read line");
    await once(child.stdout as NonNullable<typeof child.stdout>, "data");
    await holder();
    await sleep(1500);
    expect(isShared(await joining(() => begin(["true"], home, { env: warm("1") })))).toBe(true);
    await sleep(1500);
    expect(isShared(await joining(() => begin(["true"], home, { env: warm("1") })))).toBe(true);
    child.kill("SIGKILL");
    await gone(file);
    // The kernel lets go of a loop device a moment after its mount.
    while (leftovers({ homes: [] }).loops.some((line) => line.includes(file))) await sleep(5);
    const after = leftovers({ homes: [home] });
    expect(after.mounts.filter((line) => line.includes(home))).toEqual([]);
    expect(after.procdirs).toEqual([]);
  });

  check("a hundred at once all succeed and share", async () => {
    const home = makeHome();
    const command = ["sh", "-c", 'cat "$FUSELAGE_BUNDLE_DIR/data/file"'];
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => begin(command, home)));
    expect(outcomes.filter(({ status, stdout }) => status || stdout !== "packed\n")).toEqual([]);
    // Who is not answered within a second mounts by himself; a hundred may be too much for a slow machine's second.
    const took = ({ stderr }: Outcome) => Number(/ in ([0-9.]+) ms/.exec(stderr)?.[1]);
    const patient = outcomes.filter((one) => isShared(one) || took(one) >= 1000);
    expect(patient.length).toBeGreaterThan(50);
    await holder();
  });

  check("starts that meet the end of the linger succeed", async () => {
    const home = makeHome();
    await begin(["true"], home);
    for (let i = 0; i < 30; i++) {
      const outcome = begin(["cat", "/dev/null"], home);
      if (i % 3 > 0) await sleep(i % 7);
      for (const pid of processesOf(file, "holder")) signalListed(pid, "SIGKILL");
      isShared(await outcome);
    }
  });

  check("a holder that is killed takes no files away", async () => {
    const home = makeHome();
    const child = launch(home, 'echo up; read line; cat "$FUSELAGE_BUNDLE_DIR/data/file"; echo $?');
    const stdout = child.stdout as NonNullable<typeof child.stdout>;
    await once(stdout, "data");
    while (processesOf(file, "holder").length === 0) await sleep(5);
    for (const pid of processesOf(file, "holder")) signalListed(pid, "SIGKILL");
    let out = "";
    stdout.on("data", (chunk: Buffer) => {
      out += chunk;
    });
    expect(isShared(await begin(["true"], home))).toBe(false);
    child.stdin?.end();
    await once(child, "close");
    expect(out).toBe("packed\n0\n");
  });

  check("a pipeline ends with the app, whatever lingers", async () => {
    const home = makeHome();
    const { uid, gid } = way.root ? { uid: 0, gid: 0 } : ordinaryUser();
    const who = way.root ? {} : { uid, gid };
    const env = { HOME: home, FUSELAGE_MOUNT: way.strategy, FUSELAGE_LINGER: LONG };
    const script = `"$0" echo one 2>&1 | cat; wait`;
    const { stdout } = await run("sh", ["-c", script, file], { env, ...who });
    expect(stdout).toBe("one\n");
    await holder();
  });

  check("0, a service manager and the first process of a container keep nothing", async () => {
    const home = makeHome();
    for (const env of [{ FUSELAGE_LINGER: "0" }, { INVOCATION_ID: "x" }]) {
      expect(isShared(await begin(["true"], home, { env }))).toBe(false);
      expect(processesOf(file, "holder")).toEqual([]);
    }
    const inside = 'for i in 1 2; do "$0" true; done; grep -l fuselage-holder /proc/[0-9]*/comm; :';
    const args = ["--pid", "--fork", "--mount-proc", "sh", "-c", inside, file];
    const outcome = await run("unshare", way.root ? args : ["-r", ...args], {
      env: { HOME: home, FUSELAGE_MOUNT: way.strategy, ...warm() },
      ...(way.root ? {} : ordinaryUser()),
    });
    expect(isShared(outcome)).toBe(false);
    expect(outcome.stdout).toBe("");
  });

  check("an image that is replaced is another one", async () => {
    const home = makeHome();
    const bundle = path.join(temporaryDirectory(), "app.run");
    const next = await pack({ run: runArguments, "data/file": "other!\n" });
    copyFileSync(file, bundle);
    await settled();
    const command = ["sh", "-c", 'cat "$FUSELAGE_BUNDLE_DIR/data/file"'];
    const ask = () => begin(command, home, {}, bundle);
    expect((await ask()).stdout).toBe("packed\n");
    expect(isShared(await joining(ask))).toBe(true);
    copyFileSync(next, `${bundle}.new`);
    renameSync(`${bundle}.new`, bundle);
    const other = await ask();
    expect(isShared(other)).toBe(false);
    expect(other.stdout).toBe("other!\n");
    rmSync(bundle);
    await end(bundle);
  });

  checkRunner(
    "an image that is changed in place is another one, whatever its time says",
    async () => {
      const home = makeHome();
      const dir = temporaryDirectory();
      const archive = path.join(dir, "a.sfs");
      const makeImage = (content: string) => {
        mkdirSync(path.join(dir, content));
        writeFileSync(path.join(dir, content, "file"), content);
        return mksquashfs(path.join(dir, content), "-noD", "-noF", "-noI", "-mkfs-time", "0");
      };
      const [one, two] = [await makeImage("one"), await makeImage("two")];
      const time = new Date(1e12);
      const command = ["sh", "-c", 'cat "$FUSELAGE_STATIC/a/file"'];
      const ask = () => begin([`--static=a:${archive}`, ...command], home, {}, fuselage);
      const put = async (image: string) => {
        writeFileSync(archive, readFileSync(image));
        utimesSync(archive, time, time);
        await settled();
      };
      await put(one);
      expect((await ask()).stdout).toBe("one");
      expect(isShared(await joining(ask))).toBe(true);
      await put(two);
      const changed = await ask();
      expect(isShared(changed)).toBe(false);
      expect(changed.stdout).toBe("two");
      await end(archive);
    },
  );

  checkRunner("writable copies are private, over one mount", async () => {
    const home = makeHome();
    const command = ["sh", "-c", 'cd "$FUSELAGE_DYNAMIC/a" && ls data && echo new > data/new'];
    const ask = () => begin([`--dynamic=a:${file}`, ...command], home, {}, fuselage);
    const outcomes = [await ask(), await joining(ask)];
    expect(outcomes.map(isShared)).toEqual([false, true]);
    expect(outcomes.map(({ stdout }) => stdout)).toEqual(["file\n", "file\n"]);
  });

  check("the holder holds the mount and hardly a right", async () => {
    await begin(["true"], makeHome());
    const pid = await holder();
    const rights = onHost ? "0000000000000000" : "0000000000200000"; // CAP_SYS_ADMIN
    expect(statusOf(pid, "CapEff")).toBe(rights);
    expect(statusOf(pid, "CapPrm")).toBe(rights);
    // To take from the bounding set is a right of its own, which a user has not.
    if (!onHost) expect(statusOf(pid, "CapBnd")).toBe("0000000000000000");
    expect(statusOf(pid, "NoNewPrivs")).toBe("1");
    expect(statusOf(pid, "Seccomp")).toBe("2");
    const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
    expect(limits).toMatch(/^Max file size +0 +0 /m);
    expect(limits).toMatch(/^Max core file size +0 +0 /m);
    expect(Number(/^Max open files +(\d+) /m.exec(limits)?.[1])).toBeLessThan(600);
  });

  // Of a server on the host the mount is the host's.
  if (!onHost) {
    skipUnless("root", ...way.needs)("the holder sees that mount and no other", async () => {
      await begin(["true"], makeHome());
      const mounts = readFileSync(`/proc/${await holder()}/mountinfo`, "utf8")
        .trim()
        .split("\n");
      expect(mounts).toHaveLength(1);
      expect(mounts[0]).toContain(way.strategy === "loop" ? "squashfs" : "fuse.fuselage");
    });
  }

  skipUnless("root", ...way.needs)("mounts that the host makes meanwhile are seen", async () => {
    const home = makeHome();
    const dir = temporaryDirectory();
    const inside = ["unshare", "-m", "--propagation", "private", "sh", "-c"];
    const drop = way.root ? "" : "setpriv --reuid 1000 --regid 1000 --clear-groups ";
    const script = `cd /; ${drop}"$0" true; mount -t tmpfs none ${dir}; : > ${dir}/seen; ${drop}"$0" ls ${dir}`;
    const env = { HOME: home, FUSELAGE_MOUNT: way.strategy, ...warm() };
    const [command = "", ...args] = [...inside, script, file];
    const outcome = await joining(() => run(command, args, { env }));
    expect(isShared(outcome)).toBe(true);
    expect(outcome.stdout).toBe("seen\n");
  });
});

skipUnless(
  "init",
  "root",
  "fuse",
  "userns",
)("another user's mount is not shared", async () => {
  const home = userDirectory();
  const env = { ...warm(), FUSELAGE_MOUNT: "fuse" };
  expect(isShared(await asUser(file, ["true"], home, { env }))).toBe(false);
  chownSync(home, 1001, 1001);
  chownSync(path.join(home, ".fuselage"), 1001, 1001);
  const other = await run(file, ["id", "-u"], {
    uid: 1001,
    gid: 1001,
    env: { HOME: home, ...env },
  });
  expect(isShared(other)).toBe(false);
  expect(other.stdout).toBe("1001\n");
});

skipUnless("fuse", "userns")("a server that is killed is not shared", async () => {
  const home = userDirectory();
  const command = ["sh", "-c", 'cat "$FUSELAGE_BUNDLE_DIR/data/file"'];
  const ask = () => asUser(file, command, home, { env: warm() });
  await ask();
  for (const pid of processesOf(file, "fuse")) {
    signalListed(pid, "SIGKILL");
    while (!hasEnded(pid)) await sleep(1);
  }
  const next = await ask();
  expect(next.stdout).toBe("packed\n");
  expect(isShared(next)).toBe(false);
});

skipUnless("fuse", "userns")("the doctor tells what is kept and who lost his server", async () => {
  const home = userDirectory();
  const examine = (...args: string[]) =>
    asUser(file, ["--bundle-doctor", ...args], home, { env: { FUSELAGE_LINGER: LONG } });
  expect((await examine()).stdout).not.toMatch(/^(shared|lost)/m);
  const child = spawn(file, ["sh", "-c", "echo $$; read line"], {
    env: { PATH: process.env["PATH"], HOME: home, ...warm() },
    ...ordinaryUser(),
    stdio: ["pipe", "pipe", "ignore"],
  });
  children.push(child);
  await once(child.stdout as NonNullable<typeof child.stdout>, "data");
  await holder();
  const before = (await examine()).stdout;
  expect(before).toMatch(/^shared +a mount of it is kept/m);
  expect(before).not.toMatch(/^lost/m);
  for (const server of processesOf(file, "fuse")) {
    signalListed(server, "SIGKILL");
    while (!hasEnded(server)) await sleep(1);
  }
  const lost = /^lost +the server of running apps was killed/m;
  const after = await examine();
  expect(after.stdout).toMatch(lost);
  expect(after.stdout).not.toMatch(/^shared/m);
  const json = await examine("--json");
  expect(json.stderr).toMatch(lost);
  expect(JSON.parse(json.stdout)).toHaveLength(4);
  // A new start is not held up by it, and when the app ends so does the word about it.
  expect(isShared(await asUser(file, ["true"], home, { env: warm() }))).toBe(false);
  child.kill("SIGKILL");
  await gone(file);
  expect((await examine()).stdout).not.toMatch(/^(shared|lost)/m);
});

skipUnless("fuse", "userns")("who is root inside shares with nobody who is not", async () => {
  const home = userDirectory();
  const ask = (...args: string[]) =>
    asUser(fuselage, [...args, `--static=a:${file}`, "id", "-u"], home, { env: warm() });
  const asRoot = () => ask("--map-root-user");
  const outcomes = [await ask(), await asRoot(), await joining(asRoot)];
  expect(outcomes.map(isShared)).toEqual([false, false, true]);
  expect(outcomes.map(({ stdout }) => stdout.trim())).toEqual([`${ordinaryUser().uid}`, "0", "0"]);
});

skipUnless("userns", "fuse")("seconds that are none are refused", async () => {
  for (const linger of ["-1", "5s", "86401", "x", " 1"]) {
    const outcome = await asUser(file, ["true"], userDirectory(), { env: warm(linger) });
    const words = `[E_VARIABLE] FUSELAGE_LINGER=${linger}: expected a number from 0 to 86400`;
    expect(outcome).toMatchObject({ status: 125, stderr: expect.stringContaining(words) });
  }
});
