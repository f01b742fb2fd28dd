/** Extracted files, where a cache has no room or somebody else holds it up: with words, and with an end. */
import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { holdLock, holdStopped, releaseLocks } from "../support/held-lock.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { ordinaryUser, root, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const check = skipUnless("root", "gcc");
const { uid, gid } = ordinaryUser();
const where = ["/bin/sh", "-c", 'echo "$FUSELAGE_BUNDLE_DIR"'];
let refuse: string;
let file: string;
beforeAll(async () => {
  refuse = path.join(temporaryDirectory(), "refuse-calls");
  execFileSync("cc", ["-o", refuse, path.join(root, "test/support/refuse-calls.c")]);
  file = await pack({ run: runArguments, data: `${process.pid} ${Date.now()}\n`.repeat(20_000) });
});

afterEach(releaseLocks);

/** Locks of trees in the machine's own cache, where root's are. */
const machine: string[] = [];
afterAll(async () => {
  if (machine.length === 0) return;
  const env = { HOME: temporaryDirectory(), FUSELAGE_HOME: undefined, PATH: temporaryDirectory() };
  await run(refuse, ["0", "0", file, "--bundle-forget"], { env });
  for (const lock of machine) rmSync(lock, { recursive: true, force: true });
});

describe.each([
  ["a user", uid],
  ["root", 0],
] as const)("as %s", (_, as) => {
  const folder = () => (as ? userDirectory() : temporaryDirectory());
  const start = (home: string, env: NodeJS.ProcessEnv = {}) =>
    run(refuse, [`${as}`, `${as && gid}`, file, ...where], {
      env: { HOME: home, FUSELAGE_HOME: undefined, PATH: temporaryDirectory(), ...env },
    });
  /** Where the first start of all puts it. */
  const first = (home: string) =>
    as ? path.join(home, ".fuselage/cache") : "/var/cache/fuselage/cache";
  /** A start that has made its tree. @returns the key */
  async function keyOf(home: string): Promise<string> {
    const { stdout } = await start(home);
    const [, cache, key = ""] = /^(.*)\/([0-9a-f]{16})\.tree\/files\n$/.exec(stdout) ?? [];
    expect({ stdout, cache }).toEqual({ stdout, cache: first(home) });
    if (!as) machine.push(path.join(first(home), `${key}.lock`));
    return key;
  }
  const forget = (home: string, key: string) =>
    rmSync(path.join(first(home), `${key}.tree`), { recursive: true, force: true });
  /** The next place after the first: root's HOME, a user's TMPDIR. */
  function next() {
    const dir = folder();
    const home = as ? folder() : dir;
    const place = as ? path.join(dir, `fuselage-${as}/cache`) : path.join(dir, ".fuselage/cache");
    return { home, env: { TMPDIR: dir }, place };
  }

  for (const ending of ["lock", "tree"])
    check(`a stopped process has the ${ending}: the next place is taken`, async () => {
      const { home, env, place } = next();
      const key = await keyOf(home);
      if (ending === "lock") forget(home, key);
      const name = path.join(first(home), `${key}.${ending}`);
      const holder = await holdStopped(name);
      for (let i = 0; i < 2; i++) {
        expect(await start(home, env)).toMatchObject({
          status: 0,
          stdout: `${place}/${key}.tree/files\n`,
          stderr: `fuselage: not waiting for ${name}: stopped process ${holder.pid} has locked it\n`,
        });
      }
      const ended = once(holder, "close");
      holder.kill("SIGKILL");
      await ended;
      expect(await start(home, env)).toMatchObject({
        stdout: `${first(home)}/${key}.tree/files\n`,
        stderr: "",
      });
    });

  check("a process at work has the lock: it is waited for, and named", async () => {
    const home = folder();
    const key = await keyOf(home);
    forget(home, key);
    const name = path.join(first(home), `${key}.lock`);
    const holder = await holdLock(name);
    const env = { HOME: home, PATH: temporaryDirectory() };
    const started = spawn(refuse, [`${as}`, `${as && gid}`, file, ...where], { env });
    let said = "";
    let shown = "";
    started.stdout.on("data", (part) => (shown += part));
    started.stderr.on("data", (part) => (said += part));
    while (!said.endsWith("\n")) await sleep(20);
    expect(said).toBe(`fuselage: waiting for ${name}: process ${holder.pid} has locked it\n`);
    expect(existsSync(path.join(first(home), `${key}.tree`))).toBe(false);
    const end = once(started, "close");
    holder.kill("SIGKILL");
    expect(await end).toEqual([0, null]);
    expect(shown).toBe(`${first(home)}/${key}.tree/files\n`);
    expect(said.split("\n")).toHaveLength(2);
  });

  check("others who only use the tree are not waited for", async () => {
    const home = folder();
    const key = await keyOf(home);
    const holder = await holdLock(path.join(first(home), `${key}.tree`), "-s");
    holder.kill("SIGSTOP");
    expect(await start(home)).toMatchObject({ status: 0, stderr: "" });
  });

  check(
    "a tree that a cleaner may have been at is made again, and stays for who uses it",
    async () => {
      const home = folder();
      const env = {
        HOME: home,
        FUSELAGE_HOME: path.join(home, "f"),
        FUSELAGE_MOUNT: "extract",
        PATH: process.env["PATH"],
      };
      const script =
        'cd "$FUSELAGE_BUNDLE_DIR"; echo "$PWD"; read line; wc -c <data && wc -c <"$FUSELAGE_BUNDLE_DIR/data"';
      const args = [`${as}`, `${as && gid}`, file, "sh", "-c", script];
      const users: ChildProcessByStdio<Writable, Readable, null>[] = [];
      let tree = "";
      for (let i = 0; i < 3; i++) {
        const user = spawn(refuse, args, { env, stdio: ["pipe", "pipe", "inherit"] });
        users.push(user);
        const [line] = await once(user.stdout.setEncoding("utf8"), "data");
        tree = path.dirname(`${line}`.trim());
        const then = Date.now() / 1000 - 2 * 86_400;
        lutimesSync(path.join(tree, "digest"), then, then);
      }
      const cache = path.dirname(tree);
      const aside = () => readdirSync(cache).filter((name) => name.endsWith(".partial"));
      expect(aside()).toHaveLength(2);
      const reap = async () => {
        const then = Date.now() / 1000 - 2 * 3600;
        for (const name of aside()) utimesSync(path.join(cache, name), then, then);
        rmSync(path.join(cache, ".reaped"), { force: true });
        expect((await start(home, env)).status).toBe(0);
      };
      await reap();
      expect(aside()).toHaveLength(3);
      for (const user of users) {
        const rest: string[] = [];
        user.stdout.on("data", (part) => rest.push(part));
        user.stdin.end("go on\n");
        expect(await once(user, "close")).toEqual([0, null]);
        const [own, named] = rest.join("").split("\n");
        expect(Number(own)).toBeGreaterThan(0);
        expect(named).toBe(own);
      }
      // What cleans up after an app has its tree for a moment longer.
      await expect.poll(() => reap().then(aside)).toEqual([]);
    },
  );

  check("alone, with FUSELAGE_HOME: refused with the name of the lock", async () => {
    const home = folder();
    const env = { FUSELAGE_HOME: path.join(home, "f") };
    const { stdout } = await start(home, env);
    const tree = path.dirname(stdout.trim());
    rmSync(tree, { recursive: true });
    const name = tree.replace(/tree$/, "lock");
    await holdStopped(name);
    const refused = await start(home, env);
    expect(refused).toMatchObject({ status: 125, stdout: "" });
    expect(refused.stderr).toContain(`[E_MOUNT_REFUSED] ${file}: `);
    expect(refused.stderr).toContain(`extract: ${name}: Operation timed out\n`);
  });

  const squatters: [string, (name: string) => void][] = [
    ["a folder", (name: string) => mkdirSync(name)],
    ["a link", (name: string) => symlinkSync("/etc/passwd", name)],
    [
      "a socket",
      (name: string) => {
        const make = `require("node:net").createServer().listen(${JSON.stringify(name)}, () => process.kill(process.pid, 9))`;
        expect(() => execFileSync(process.execPath, ["-e", make])).toThrow();
      },
    ],
  ];
  for (const [title, squat] of squatters)
    check(`${title} in place of the lock: the next place is taken`, async () => {
      const { home, env, place } = next();
      const key = await keyOf(home);
      const name = path.join(first(home), `${key}.lock`);
      forget(home, key);
      rmSync(name);
      squat(name);
      const outcome = await start(home, env);
      rmSync(name, { recursive: true });
      expect(outcome).toMatchObject({
        status: 0,
        stdout: `${place}/${key}.tree/files\n`,
        stderr: "",
      });
    });

  check("no room for the files: the next place is taken, and nothing is left", async () => {
    const { home, env, place } = next();
    const cache = path.dirname(first(home));
    mkdirSync(cache, { recursive: true });
    const script = `mount -t tmpfs -o size=64k,nr_inodes=9,mode=700,uid=${as} none "$0" && "$@" && ls -A "$0/cache"`;
    const args = ["-m", "sh", "-c", script, cache, refuse, `${as}`, `${as && gid}`, file];
    const { status, stdout } = await run("unshare", [...args, ...where], {
      env: { HOME: home, FUSELAGE_HOME: undefined, FUSELAGE_MOUNT: "extract", ...env },
    });
    expect(status).toBe(0);
    const [started, ...left] = stdout.trim().split("\n");
    expect(path.dirname(path.dirname(`${started}`))).toBe(place);
    expect(left.filter((name) => /tree|partial/.test(name))).toEqual([]);
    expect(readdirSync(place).filter((name) => /partial/.test(name))).toEqual([]);
  });
});
