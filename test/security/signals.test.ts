/**
 * Signals that the caller ignores or blocks, or that come at a bad time: what they would not have done to a
 * program of its own they do not do to ours, and what ends us leaves nothing. State that merely has
 * to arrive in the app is in state.test.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect } from "vitest";
import { appImage } from "../support/appimage.ts";
import { mksquashfs, runArguments, runtimeFile } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { asUser, hasEnded, isRoot, ordinaryUser, run, signalListed } from "../support/process.ts";
import { compileState, listen, packProgram } from "../support/process-state.ts";
import { aloneIn } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const check = skipUnless("gcc");
const { uid, gid } = ordinaryUser();
const number = (signal: NodeJS.Signals) => os.constants.signals[signal];

let state: string;
let large: string;
let image: string;
beforeAll(async () => {
  state = compileState();
  const noise = Buffer.alloc(
    40_000_000,
    "forty megabytes that are written one block after another",
  );
  large = await pack(
    { run: runArguments, big: noise, zz: "last\n" },
    { compression: "none", level: undefined },
  );
  const dir = path.join(temporaryDirectory(), "tree");
  mkdirSync(dir);
  writeFileSync(path.join(dir, "file"), "packed\n");
  image = await mksquashfs(dir, "-all-root");
});

/** Starts a command with state set; the user's when the tests are root. */
function launch(
  set: readonly string[],
  command: readonly string[],
  home: string,
  { asRoot = false, env = {} as Record<string, string> } = {},
): ChildProcess {
  return spawn(state, ["with", ...set, "--", ...command], {
    cwd: home,
    env: { PATH: process.env["PATH"], ...aloneIn(home), FUSELAGE_LINGER: "0", ...env },
    ...(isRoot && !asRoot ? { uid, gid } : {}),
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
}

const ending = (child: ChildProcess): Promise<[number | null, string | null]> =>
  once(child, "exit") as Promise<[number | null, string | null]>;

/** Waits for what a process makes; fails when it ends before. */
async function until(child: ChildProcess, happened: () => boolean): Promise<void> {
  while (!happened()) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error("it ended before");
    await sleep(1);
  }
}

const mountsBelow = (dir: string) =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(dir));

/** Of starts in a namespace and on the host. */
const procdirs = (home: string) =>
  ["procdirs", "mounts"]
    .map((name) => path.join(home, ".fuselage", name))
    .flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []))
    .filter((name) => name !== ".keep");

describe("extraction", () => {
  const partial = (dir: string) =>
    readdirSync(dir).some((name) => /^(out|squashfs-root)\./.test(name));

  /** Stops a process when something has happened. False: it had ended before. */
  async function stopped({ pid }: ChildProcess, happened: () => boolean): Promise<boolean> {
    while (!happened() && !hasEnded(`${pid}`)) await sleep(1);
    while (!hasEnded(`${pid}`)) {
      signalListed(pid ?? 0, "SIGSTOP");
      if (/\) [Tt] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"))) return true;
    }
    return false;
  }

  /** Stops it in the middle of its work, sends the signal, and lets it go on; another one, where that had been done. */
  async function interrupted(set: string[], signal: NodeJS.Signals, appimage = false) {
    const command = appimage ? await appImageOfLarge() : large;
    const option = appimage ? ["--appimage-extract"] : ["--bundle-extract", "out"];
    for (;;) {
      const dir = userDirectory();
      const child = launch(set, [command, ...option], dir);
      const ended = ending(child);
      if (await stopped(child, () => partial(dir))) {
        const isAtWork = partial(dir);
        child.kill(signal);
        child.kill("SIGCONT");
        const [status, by] = await ended;
        const out = path.join(dir, appimage ? "squashfs-root" : "out");
        if (isAtWork) return { status, by, dir, out };
      }
    }
  }

  let made: Promise<string> | undefined;
  const appImageOfLarge = () => {
    made ??= appImage({
      AppRun: runArguments,
      big: Buffer.alloc(60_000_000, "AppImage"),
      zz: "last\n",
    });
    return made;
  };

  const signals = [
    "SIGHUP",
    "SIGINT",
    "SIGTERM",
    "SIGQUIT",
    "SIGALRM",
    "SIGUSR1",
    "SIGXCPU",
  ] as const;

  for (const signal of signals) {
    for (const how of ["ignore", "block"]) {
      check(`goes on when the caller ${how}s ${signal}`, async () => {
        const set = [`${how}=${number(signal)}`];
        const { status, by, dir, out } = await interrupted(set, signal);
        expect({ status, by }).toEqual({ status: 0, by: null });
        expect(readFileSync(path.join(out, "zz"), "utf8")).toBe("last\n");
        expect(readdirSync(dir)).toEqual(["out"]);
      });
    }
    check(`is ended by ${signal} otherwise, and leaves nothing`, async () => {
      const { status, by, dir } = await interrupted(["limit=4=0"], signal);
      expect({ status, by }).toEqual({ status: null, by: signal });
      expect(readdirSync(dir)).toEqual([]);
    });
  }

  skipUnless("gcc", "mksquashfs")("of an AppImage by nohup goes on", async () => {
    const { status, out, dir } = await interrupted(["ignore=1"], "SIGHUP", true);
    expect(status).toBe(0);
    expect(readFileSync(path.join(out, "zz"), "utf8")).toBe("last\n");
    expect(readdirSync(dir)).toEqual(["squashfs-root"]);
  });

  check("goes on when everything is ignored, and only SIGKILL ends it", async () => {
    const { status, dir } = await interrupted(["ignore=all"], "SIGTERM");
    expect({ status, names: readdirSync(dir) }).toEqual({ status: 0, names: ["out"] });
  });

  check("that the caller's alarm ends leaves nothing", async () => {
    const dir = userDirectory();
    const child = launch(["real=20"], [large, "--bundle-extract", "out"], dir);
    const [status, by] = await ending(child);
    // A fast machine is done before.
    expect(readdirSync(dir)).toEqual(by === null ? ["out"] : []);
    expect([status, by]).toEqual(by === null ? [0, null] : [null, "SIGALRM"]);
  });

  check("that may write no file says so, and leaves nothing", async () => {
    const home = userDirectory();
    const command = ["with", "limit=1=1000000", "--", large, "--bundle-extract", "out"];
    const shown = await listen([state, ...command], { root: false, home, cwd: home });
    expect(shown.status).toBe(125);
    expect(shown.stderr).toMatch(/\[E_LIMIT\] out\/big: File too large \(ulimit -f\)/);
    expect(readdirSync(home)).toEqual([]);
  });
});

describe("a mount that stays until a signal", () => {
  for (const asRoot of [true, false]) {
    const needs = asRoot ? (["root", "fuse"] as const) : (["fuse", "fusermount"] as const);
    const who = asRoot ? "root" : "a user";
    for (const how of ["ignore", "block"]) {
      skipUnless("gcc", ...needs)(
        `in the foreground, ${who}: SIGHUP that the caller ${how}s`,
        async () => {
          const home = asRoot ? temporaryDirectory() : userDirectory();
          const dir = path.join(home, "mount");
          mkdirSync(dir);
          if (!asRoot) chownSync(dir, uid, gid);
          const command = [runtimeFile, `--mount=${image}`, "--foreground", dir];
          const child = launch([`${how}=1`], command, home, { asRoot });
          const ended = ending(child);
          const cat = () =>
            asRoot
              ? run("cat", [path.join(dir, "file")])
              : asUser("cat", [path.join(dir, "file")], home);
          await until(child, () => mountsBelow(home).length > 0);
          child.kill("SIGHUP");
          await sleep(100);
          expect(child.exitCode).toBe(null);
          expect((await cat()).stdout).toBe("packed\n");
          child.kill("SIGTERM");
          expect(await ended).toEqual([0, null]);
          expect(mountsBelow(home)).toEqual([]);
        },
      );
    }
  }

  for (const how of ["ignore", "block"]) {
    skipUnless(
      "gcc",
      "fuse",
      "fusermount",
      "mksquashfs",
    )(`of an AppImage: SIGHUP that the caller ${how}s`, async () => {
      const home = userDirectory();
      const child = launch([`${how}=1`], [await appImage(), "--appimage-mount"], home);
      const ended = ending(child);
      const [line] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
      child.kill("SIGHUP");
      await sleep(100);
      expect(child.exitCode).toBe(null);
      expect((await asUser("ls", [`${line}`.trim()], home)).stdout).toContain("AppRun");
      child.kill("SIGTERM");
      expect(await ended).toEqual([null, "SIGTERM"]);
      expect(mountsBelow(home)).toEqual([]);
    });
  }
});

/** Starts that are held at a decisive point, by something that they wait for. */
describe("the caller's alarm", () => {
  const quick = skipUnless("gcc", "fuse", "userns");

  quick("that goes off while a start waits ends it, and nothing stays", async () => {
    const home = userDirectory();
    await asUser("mkfifo", [path.join(home, "pipe")], home);
    const start = [runtimeFile, "-s", `a:${image}`, "-s", "p:pipe", "true"];
    const child = launch(["real=150"], start, home);
    expect(await ending(child)).toEqual([null, "SIGALRM"]);
    expect(readdirSync(home)).toEqual(["pipe"]);
    await expect.poll(() => processesOf(home)).toEqual([]);
  });

  quick("that is ignored does not, and goes on in the app", async () => {
    const home = userDirectory();
    await asUser("mkfifo", [path.join(home, "pipe")], home);
    const start = [runtimeFile, "-s", `a:${image}`, "-s", "p:pipe", state, "show"];
    const child = launch(["ignore=14", "real=30"], start, home);
    let said = "";
    child.stdio[3]?.on("data", (chunk: Buffer) => {
      said += chunk;
    });
    const closed = once(child, "close"); // when all has come that it said
    await sleep(150);
    expect(child.exitCode).toBe(null);
    await asUser("sh", ["-c", `cat "${image}" > pipe`], home, { cwd: home });
    expect(await closed).toEqual([0, null]);
    expect(said).toMatch(/^timer real: .*every 7 s 5 us$/m);
    expect(said).toMatch(/^dispositions -{13}I-+$/m);
  });

  quick("that is blocked is pending for the app", async () => {
    const home = userDirectory();
    const kinds = ["block=14", "real=1"];
    const command = [state, "with", ...kinds, "--", runtimeFile, "-s", `a:${image}`, state, "show"];
    const { lines } = await listen(command, { root: false, home });
    expect(lines).toContain("pending 0000000000002000");
    expect(lines.find((line) => line.startsWith("timer real"))).toMatch(/every 7 s 5 us$/);
  });

  skipUnless(
    "gcc",
    "root",
    "fuse",
    "fusermount",
  )("that goes off while fusermount3 works leaves no mount and no folder", async () => {
    const home = userDirectory();
    // It mounts when the start is over.
    const slow = path.join(temporaryDirectory(), "slow");
    const wait = `until test -e "${home}/over"; do sleep 0.05; done`;
    writeFileSync(slow, `#!/bin/sh\n: > "${home}/called"\n${wait}\nexec fusermount3 "$@"\n`);
    chmodSync(slow, 0o755);
    const env = { FUSELAGE_MOUNT: "fusermount", FUSERMOUNT_PROG: slow };
    const child = launch([], [large, "true"], home, { env });
    const ended = ending(child);
    await until(child, () => existsSync(path.join(home, "called")));
    child.kill("SIGALRM");
    expect(await ended).toEqual([null, "SIGALRM"]);
    writeFileSync(path.join(home, "over"), "");
    await expect.poll(() => procdirs(home)).toEqual([]);
    await expect.poll(() => processesOf(home)).toEqual([]);
    expect(mountsBelow(home)).toEqual([]);
  });
});

/** Numbers of processes that have this home in their environment. */
async function processesOf(home: string): Promise<string[]> {
  const script = `grep -lz "^HOME=${home}$" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3`;
  return (await run("sh", ["-c", script])).stdout.trim().split("\n").filter(Boolean);
}

describe("what serves the app", () => {
  /** Signals of a process, as sets. */
  const signalsOf = (pid: string) => {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    const of = (field: string) =>
      BigInt(`0x${new RegExp(`^${field}:\\s*(\\w+)$`, "m").exec(text)?.[1]}`);
    const name = /^Name:\s*(.*)$/m.exec(text)?.[1] ?? "";
    return { name, blocked: of("SigBlk"), ignored: of("SigIgn"), pending: of("ShdPnd") };
  };
  const has = (set: bigint, signal: NodeJS.Signals) =>
    ((set >> BigInt(number(signal) - 1)) & 1n) === 1n;

  const cases: [string, string[], Record<string, string>, string[]][] = [
    ["fuse", [], { FUSELAGE_MOUNT: "fuse" }, ["fuselage-fuse"]],
    ["fusermount", [], { FUSELAGE_MOUNT: "fusermount" }, ["fuselage-clean", "fuselage-fuse"]],
    [
      "a mount that is kept",
      [],
      { FUSELAGE_LINGER: "1", FUSELAGE_MOUNT: "fuse" },
      ["fuselage-fuse", "fuselage-holder"],
    ],
    [
      "a mount on the host that is kept",
      [],
      { FUSELAGE_LINGER: "1", FUSELAGE_MOUNT: "fusermount" },
      ["fuselage-clean", "fuselage-fuse", "fuselage-holder"],
    ],
  ];
  for (const [title, more, env, expected] of cases) {
    for (const set of [["ignore=all", "block=all"], ["block=all", "pend=15"], []]) {
      skipUnless(
        "gcc",
        "root",
        "fuse",
        "userns",
        "fusermount",
      )(`has no signals of the caller's: ${title}, ${set.join(" ") || "nothing set"}`, async () => {
        const home = userDirectory();
        const script = "echo up; read line";
        const child = spawn(state, ["with", ...set, ...more, "--", large, "sh", "-c", script], {
          env: { PATH: process.env["PATH"], ...aloneIn(home), FUSELAGE_LINGER: "0", ...env },
          uid,
          gid,
          stdio: ["pipe", "pipe", "inherit", "ignore"],
        });
        await once(child.stdout as NodeJS.ReadableStream, "data");
        const found = async () => {
          const pids = (await processesOf(home)).filter((pid) => pid !== `${child.pid}`);
          return pids
            .map(signalsOf)
            .filter(({ name }) => name.startsWith("fuselage"))
            .map(({ name, blocked, ignored, pending }) => {
              const some = ["SIGHUP", "SIGINT", "SIGTERM", "SIGALRM"] as const;
              return { name, blocked, pending, ignored: some.filter((one) => has(ignored, one)) };
            })
            .sort((a, b) => (a.name < b.name ? -1 : 1));
        };
        // The holder may be ended by any signal; what serves and cleans up by none of a group's.
        const ignoredBy = (name: string) =>
          name === "fuselage-holder" ? [] : ["SIGHUP", "SIGINT", "SIGTERM", "SIGALRM"];
        // The app does not wait until they have made themselves ready.
        await expect
          .poll(found)
          .toEqual(
            expected.map((name) => ({ name, blocked: 0n, pending: 0n, ignored: ignoredBy(name) })),
          );
        child.stdin?.end("\n");
        child.kill("SIGKILL");
        await expect.poll(() => processesOf(home)).toEqual([]);
        await expect.poll(() => procdirs(home)).toEqual([]);
      });
    }
  }

  skipUnless(
    "gcc",
    "root",
    "fuse",
    "fusermount",
  )("fusermount3 is started with signals as it expects them", async () => {
    const home = userDirectory();
    const helper = path.join(temporaryDirectory(), "helper");
    const script = `#!/bin/sh\ngrep -E "^Sig(Blk|Ign)" /proc/self/status >> "${home}/seen"\nexec fusermount3 "$@"\n`;
    writeFileSync(helper, script);
    chmodSync(helper, 0o755);
    const env = { FUSELAGE_MOUNT: "fusermount", FUSERMOUNT_PROG: helper };
    const child = launch(["ignore=all", "block=all"], [large, "true"], home, { env });
    expect(await ending(child)).toEqual([0, null]);
    await expect.poll(() => procdirs(home)).toEqual([]);
    const seen = readFileSync(path.join(home, "seen"), "utf8").trim().split("\n");
    expect(seen.length).toBe(4); // to mount, and to unmount
    for (const line of seen) expect(line).toMatch(/^Sig(Blk|Ign):\t0{16}$/);
  });
});

describe("an AppImage that cannot start, seen by nobody", () => {
  /** A folder of programs; `said` appears when the last one has been called. */
  const desktop = (programs: Record<string, string>) => {
    const bin = temporaryDirectory();
    chmodSync(bin, 0o777);
    for (const [name, body] of Object.entries(programs)) {
      const script = `#!/bin/sh\nPATH=/usr/bin:/bin\ngrep SigIgn /proc/self/status >> "${bin}/said"\n${body}\n`;
      writeFileSync(path.join(bin, name), script);
      chmodSync(path.join(bin, name), 0o755);
    }
    return bin;
  };
  for (const set of [["ignore=17"], ["nocldwait=17"], ["block=17"], ["ignore=all", "block=all"]]) {
    skipUnless("gcc", "mksquashfs")(`says so once and ends: ${set.join(" ")}`, async () => {
      const file = await appImage({ AppRun: runArguments }, { name: `Cut.AppImage` });
      truncateSync(file, readFileSync(file).length - 4096);
      // The first one fails, so the second is asked: the end of each is waited for.
      const bin = desktop({ "notify-send": "exit 1", zenity: ': > "${0%/*}/done"' });
      const home = userDirectory();
      const child = launch(set, [file], home, { env: { DISPLAY: ":9", PATH: bin } });
      expect(await ending(child)).toEqual([127, null]);
      await expect.poll(() => existsSync(path.join(bin, "done"))).toBe(true);
      const said = readFileSync(path.join(bin, "said"), "utf8");
      expect(said).toBe("SigIgn:\t0000000000000000\n".repeat(2));
      await expect.poll(() => processesOf(home)).toEqual([]);
    });
  }
});

describe("process 1 of a container", () => {
  const first = (home: string, ...command: string[]) => {
    const inner = ["unshare", "--user", "--map-current-user", "--pid", "--fork", "--mount-proc"];
    return listen([...inner, ...command], { root: false, home, env: { STATE_CHILDREN: "1" } });
  };
  for (const mount of ["fuse", "extract"]) {
    skipUnless(
      "gcc",
      "root",
      "fuse",
      "userns",
    )(`finds no child that it has not made: ${mount}`, async () => {
      const { file } = await packProgram(state);
      const home = userDirectory();
      const direct = await first(home, state, "show");
      const start = await first(home, "env", `FUSELAGE_MOUNT=${mount}`, file, "show");
      const children = ({ lines }: typeof start) => lines.filter((line) => /child/.test(line));
      expect(direct.status).toBe(0);
      expect(start).toMatchObject({ status: 0, stderr: "" });
      expect(children(start)).toEqual(children(direct));
    });
  }
  skipUnless(
    "gcc",
    "root",
    "userns",
  )("waits for its own children only", async () => {
    const { file } = await packProgram(state);
    const kinds = ["child=0", "child=200", "ignore=1"];
    const { lines } = await first(userDirectory(), state, "with", ...kinds, "--", file, "show");
    expect(lines.filter((line) => /child/.test(line))).toEqual([
      "children are waited for",
      "child ended with 700",
      "child ended with 700",
      "no more children: No child processes",
    ]);
  });
});

skipUnless("root")("a launcher of these tests sets what it says", async () => {
  const home = userDirectory();
  const command = [state, "with", "ignore=1", "block=15", "umask=027", "--", state, "show"];
  const { lines } = await listen(command, { root: false, home });
  expect(lines).toContain("umask 0027");
  expect(lines).toContain("blocked 0000000000004000");
  expect(lines.find((line) => line.startsWith("dispositions"))).toMatch(/^dispositions I-+$/);
});
