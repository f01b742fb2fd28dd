/**
 * The last fallback: no namespace and no mount, as in most containers. The files are extracted to a
 * cache of the user's own, whole or not at all, and found there by later starts.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect } from "vitest";
import { errnoCode } from "../../builder/errors.ts";
import { runArguments } from "../support/bundle-of.ts";
import { leftovers, leftSince, nothing } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { fuselage, ordinaryUser, type RunOptions, root, run } from "../support/process.ts";
import { aloneIn } from "../support/start.ts";
import { stopBehind } from "../support/stopped.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import { makeZip } from "../support/zip.ts";

const needs = ["root", "gcc"] as const;
const check = skipUnless(...needs);
const { uid, gid } = ordinaryUser();
let refuse: string;
let file: string;
/** Large enough that its extraction can be interrupted. */
let large: string;
const parts = Array.from({ length: 300 }, (_, i) => [`data/${i % 7}/${i}`, `${i}\n`.repeat(5000)]);
beforeAll(async () => {
  refuse = path.join(temporaryDirectory(), "refuse-calls");
  execFileSync("cc", ["-o", refuse, path.join(root, "test/support/refuse-calls.c")]);
  file = await pack({ run: runArguments, "data/file": "packed\n" });
  large = await pack({ run: runArguments, ...Object.fromEntries(parts) });
});

/** Starts a program for whom unshare() is refused and fusermount3 is not there. */
function start(
  home: string,
  bundle: string,
  args: string[],
  options: RunOptions & { as?: number } = {},
) {
  const who = options.as ?? uid;
  const env = { ...aloneIn(home), PATH: temporaryDirectory(), FUSELAGE_DEBUG: "1", ...options.env };
  return run(refuse, [`${who}`, `${who && gid}`, bundle, ...args], { ...options, env });
}
const cacheOf = (home: string) => path.join(home, ".fuselage/cache");
const listed = (dir: string, ending: string) =>
  (existsSync(dir) ? readdirSync(dir) : []).filter((name) => name.endsWith(ending));
const treesOf = (home: string) => listed(cacheOf(home), ".tree");
const cat = [
  "/bin/sh",
  "-c",
  'while read l; do echo "$l"; done < "$FUSELAGE_BUNDLE_DIR/data/file"',
];

describe.each([["a user", uid] as const, ["root", 0] as const])("as %s", (_, as) => {
  check("files come from a private, read-only tree that later starts reuse", async () => {
    const home = as ? userDirectory() : temporaryDirectory();
    const watched = { homes: [home], own: [home] };
    const before = leftovers(watched);
    const script = `cd "$FUSELAGE_STATIC/app/data" && /bin/cat file && /bin/pwd -P && /usr/bin/stat -c %a . file ../..; exit 5`;
    const first = await start(home, file, ["/bin/sh", "-c", script], { as });
    expect(first.stderr).toMatch(/^fuselage: mounted by extract/);
    const [tree] = treesOf(home);
    const place = path.join(cacheOf(home), `${tree}`);
    expect(first).toMatchObject({
      status: 5,
      stdout: `packed\n${place}/files/data\n555\n444\n${as ? 700 : 711}\n`,
    });
    expect(statSync(cacheOf(home)).mode & 0o7777).toBe(as ? 0o700 : 0o711);
    const { ino } = statSync(path.join(place, "files/data/file"));
    expect((await start(home, file, cat, { as })).stdout).toBe("packed\n");
    expect(treesOf(home)).toEqual([tree]);
    expect(statSync(path.join(place, "files/data/file")).ino).toBe(ino);
    expect(await leftSince(before, watched)).toEqual(nothing);
  });

  check("--bundle-forget removes it, but while an app uses it", async () => {
    const home = as ? userDirectory() : temporaryDirectory();
    const forget = () => start(home, file, ["--bundle-forget"], { as });
    expect(await forget()).toMatchObject({ status: 0, stdout: "" });
    expect(existsSync(cacheOf(home))).toBe(false);
    await start(home, file, cat, { as });
    await start(home, large, cat, { as });
    const kept = treesOf(home);
    expect(kept).toHaveLength(2);
    const child = spawn(refuse, [`${as}`, `${as && gid}`, file, "/bin/sh", "-c", "echo; read x"], {
      env: { ...aloneIn(home), PATH: temporaryDirectory() },
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    expect((await forget()).stdout).toBe("");
    expect(treesOf(home)).toEqual(kept);
    child.stdin.end();
    await once(child, "close");
    let removed = "";
    // Who has it locked for the app is a process of ours, which ends behind it.
    while (!removed) removed = (await forget()).stdout.trim();
    expect(path.dirname(removed)).toBe(cacheOf(home));
    // Of the other bundle all is there.
    expect(treesOf(home)).toEqual(kept.filter((name) => name !== path.basename(removed)));
    expect((await start(home, file, cat, { as })).stdout).toBe("packed\n");
  });

  check("FUSELAGE_MOUNT=extract takes it at once", async () => {
    const home = as ? userDirectory() : temporaryDirectory();
    const env = { PATH: process.env["PATH"], FUSELAGE_MOUNT: "extract" };
    const { stderr, stdout } = await start(home, file, cat, { as, env });
    expect(stderr).toMatch(/^fuselage: mounted by extract/);
    expect(stdout).toBe("packed\n");
  });
});

check("a zip archive is extracted there too, what needs a namespace is refused", async () => {
  const dir = temporaryDirectory();
  const runner = path.join(dir, "fuselage");
  copyFileSync(fuselage, runner);
  chmodSync(runner, 0o755);
  const zip = path.join(dir, "a.zip");
  writeFileSync(zip, makeZip([{ name: "file", content: "zipped\n" }]));
  const home = userDirectory();
  const show = ["/bin/cat"];
  const args = [`--static=a:${zip}`, "--", "/bin/sh", "-c", '/bin/cat "$FUSELAGE_STATIC/a/file"'];
  expect((await start(home, runner, args)).stdout).toBe("zipped\n");
  expect((await start(home, runner, args)).stdout).toBe("zipped\n");
  expect(treesOf(home)).toHaveLength(1);
  for (const form of [
    `--dynamic=a:${zip}`,
    "--dynamic-empty=e",
    `--static=/run/fuselage/a:${zip}`,
  ]) {
    const refused = await start(home, runner, [form, "--", ...show]);
    expect(refused).toMatchObject({ status: 125, stdout: "" });
    expect(refused.stderr).toMatch(/E_MOUNT_REFUSED.*without a namespace there are only read-only/);
  }
});

describe("whole or not at all", () => {
  const isWhole = (files: string) =>
    parts.every(([name, text]) => statSync(path.join(files, `${name}`)).size === text?.length);

  check("kill -9 at any moment leaves no half tree, the next start sweeps", async () => {
    const home = userDirectory();
    const args = [`${uid}`, `${gid}`, large, "/bin/true"];
    let window = 80; // milliseconds that an extraction takes, at most
    let killed = 0;
    // As many again as it takes, where this process came too late for most.
    for (let i = 0; i < 40 || killed <= 5; i++) {
      const child = spawn(refuse, args, { env: aloneIn(home), stdio: "ignore" });
      const end = once(child, "exit");
      await sleep((((i * 17) % 40) / 40) * window);
      child.kill("SIGKILL");
      const [, signal] = await end;
      if (signal === "SIGKILL") killed++;
      else window *= 0.8;
      for (const tree of treesOf(home)) {
        expect(isWhole(path.join(cacheOf(home), tree, "files"))).toBe(true);
        rmSync(path.join(cacheOf(home), tree), { recursive: true });
      }
    }
    expect((await start(home, large, ["/bin/true"])).status).toBe(0);
    expect(listed(cacheOf(home), ".partial")).toEqual([]);
    const [tree] = treesOf(home);
    expect(isWhole(path.join(cacheOf(home), `${tree}`, "files"))).toBe(true);
  });

  check("30 starts at once share one tree", async () => {
    const home = userDirectory();
    const show = ["/usr/bin/stat", "-c", "%i", "."];
    const script = ["/bin/sh", "-c", `cd "$FUSELAGE_BUNDLE_DIR" && ${show.join(" ")}`];
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, () => start(home, large, script)),
    );
    // Whoever waits for two seconds says so before.
    const stderr = expect.stringMatching(/^fuselage: mounted by extract/m);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 0, stderr });
    expect(new Set(outcomes.map(({ stdout }) => stdout)).size).toBe(1);
    expect(treesOf(home)).toHaveLength(1);
    expect(listed(cacheOf(home), ".partial")).toEqual([]);
  });

  check("a full disk is told, and nothing stays on it", async () => {
    const home = userDirectory();
    const mount = `mount -t tmpfs -o size=1m,mode=700,uid=${uid},gid=${gid} none "$0"`;
    const script = `${mount} && "$@"; status=$?; find "$0" -type f -o -type d -name "*.*"; exit $status`;
    const args = ["-m", "sh", "-c", script, home, refuse, `${uid}`, `${gid}`, large, "/bin/true"];
    const env = { FUSELAGE_HOME: home, FUSELAGE_MOUNT: "extract" };
    const { status, stdout, stderr } = await run("unshare", args, { env });
    expect(status).toBe(125);
    expect(stderr).toMatch(/extract: \/data\/.*: No space left on device/);
    const endings = stdout
      .trim()
      .split("\n")
      .map((name) => path.extname(name));
    expect(endings.filter((ending) => ending !== ".id")).toEqual([".lock"]);
  });

  check("a corrupt image starts nothing and leaves nothing", async () => {
    const home = userDirectory();
    const bad = path.join(temporaryDirectory(), "bad.run");
    const bytes = readFileSync(large);
    const image = Number((await run(large, ["--bundle-offset"])).stdout);
    bytes.fill(0xff, image + 120, image + 4000);
    writeFileSync(bad, bytes, { mode: 0o755 });
    const { status, stderr } = await start(home, bad, ["/bin/true"]);
    expect(status).toBe(125);
    expect(stderr).toContain("[E_IMAGE_CORRUPT]");
    expect([...treesOf(home), ...listed(cacheOf(home), ".partial")]).toEqual([]);
  });
});

describe("another image is another tree", () => {
  const twins = async () => {
    const make = (text: string) => pack({ run: runArguments, "data/file": text });
    const both = [await make("old 1\n"), await make("new 2\n")] as const;
    expect(statSync(both[0]).size).toBe(statSync(both[1]).size);
    return both;
  };
  const long = new Date("2020-01-01T00:00:00Z");
  /** The process that cleans up runs the same file for a moment longer. */
  const overwrite = async (source: string, target: string) => {
    for (;;) {
      try {
        const fd = openSync(target, "r+");
        writeSync(fd, readFileSync(source), 0);
        closeSync(fd);
        return;
      } catch (error) {
        if (errnoCode(error) !== "ETXTBSY") throw error;
        await sleep(5);
      }
    }
  };

  check("written over in place, by rename, with its old times: never the old files", async () => {
    const home = userDirectory();
    const [old, fresh] = await twins();
    const target = path.join(temporaryDirectory(), "app.run");
    const put = async (source: string, inPlace: boolean) => {
      if (inPlace && existsSync(target)) {
        await overwrite(source, target);
      } else {
        copyFileSync(source, `${target}.new`);
        renameSync(`${target}.new`, target);
      }
      chmodSync(target, 0o755);
      utimesSync(target, long, long);
    };
    for (let i = 0; i < 24; i++) {
      await put(i % 2 ? fresh : old, i % 4 < 2);
      expect((await start(home, target, cat)).stdout).toBe(i % 2 ? "new 2\n" : "old 1\n");
    }
    expect(treesOf(home)).toHaveLength(2);
  });

  const meanwhile: [string, (target: string, fresh: string) => void][] = [
    ["another takes its name", (target, fresh) => renameSync(fresh, target)],
    ["its name is removed", (target) => rmSync(target)],
    ["it gets another name", (target) => linkSync(target, `${target}.too`)],
    ["it gets other modes", (target) => chmodSync(target, 0o500)],
    ["it gets another owner", (target) => chownSync(target, 0, 0)],
  ];
  for (const [title, change] of meanwhile)
    skipUnless(...needs, "strace")(`its files are extracted whole while ${title}`, async () => {
      const home = userDirectory();
      const [old, fresh] = await twins();
      const target = path.join(temporaryDirectory(), "app.run");
      copyFileSync(old, target);
      chownSync(target, uid, gid);
      mkdirSync(cacheOf(home), { recursive: true, mode: 0o700 });
      for (const dir of [path.dirname(cacheOf(home)), cacheOf(home)]) chownSync(dir, uid, gid);
      const command = [refuse, `${uid}`, `${gid}`, target, ...cat];
      const env = { ...aloneIn(home), PATH: process.env["PATH"] };
      // The folder that it is extracted to is there by then, and it was digested.
      const held = await stopBehind("/^mkdir", cacheOf(home), command, {
        env: { ...env, FUSELAGE_MOUNT: "extract" },
      });
      expect(listed(cacheOf(home), ".partial")).toHaveLength(1);
      change(target, fresh);
      expect(await held.goOn()).toMatchObject({ status: 0, stdout: "old 1\n", stderr: "" });
    });

  skipUnless(...needs, "strace")("no files are taken of one that changes meanwhile", async () => {
    const home = userDirectory();
    const [old, fresh] = await twins();
    const archives = [old, fresh].map((bundle) => readFileSync(bundle));
    const target = path.join(temporaryDirectory(), "app.run");
    writeFileSync(target, archives[0] as Buffer);
    mkdirSync(cacheOf(home), { recursive: true, mode: 0o700 });
    for (const dir of [path.dirname(cacheOf(home)), cacheOf(home)]) chownSync(dir, uid, gid);
    // As an archive of the runner: of a program that runs the kernel lets nobody write.
    const command = [refuse, `${uid}`, `${gid}`, fuselage, `--static=a:${target}`, "true"];
    const held = await stopBehind("/^mkdir", cacheOf(home), command, {
      env: { ...aloneIn(home), FUSELAGE_MOUNT: "extract" },
    });
    writeFileSync(target, archives[1] as Buffer);
    const { status, stderr } = await held.goOn();
    expect(status).toBe(125);
    expect(stderr).toContain(`${target}: `);
    expect(stderr).toMatch(/is being changed while it is read|was changed while it was in use/);
    expect(treesOf(home)).toEqual([]);
  });

  check("a known file is not read again, and its note dies with a change", async () => {
    const home = userDirectory();
    const [old, fresh] = await twins();
    const target = path.join(temporaryDirectory(), "app.run");
    copyFileSync(old, target);
    await sleep(3100); // Not sooner: what was left alone for some seconds is known by its times.
    expect((await start(home, target, cat)).stdout).toBe("old 1\n");
    const notes = listed(cacheOf(home), ".id");
    expect(notes).toHaveLength(1);
    await overwrite(fresh, target);
    utimesSync(target, long, long);
    await sleep(3100);
    expect((await start(home, target, cat)).stdout).toBe("new 2\n");
    expect(listed(cacheOf(home), ".id")).toHaveLength(2);
  });

  check("a file of somebody else has a tree of its own", async () => {
    const home = userDirectory();
    expect((await start(home, file, cat)).status).toBe(0);
    const theirs = path.join(temporaryDirectory(), "app.run");
    copyFileSync(file, theirs);
    chownSync(theirs, uid + 1, gid + 1);
    expect((await start(home, theirs, cat)).stdout).toBe("packed\n");
    expect(treesOf(home)).toHaveLength(2);
  });
});

describe("a cache in FUSELAGE_HOME that is not the user's alone is refused", () => {
  const changes: [string, (cache: string) => void][] = [
    ["another user's", (cache) => chownSync(cache, uid + 1, gid + 1)],
    ["writable by others", (cache) => chmodSync(cache, 0o777)],
    ["writable by others above", (cache) => chmodSync(path.dirname(cache), 0o777)],
    [
      "a symbolic link",
      (cache) => {
        renameSync(cache, `${cache}.real`);
        symlinkSync(`${cache}.real`, cache);
      },
    ],
  ];
  for (const [title, change] of changes) {
    check(title, async () => {
      const home = userDirectory();
      expect((await start(home, file, cat)).status).toBe(0);
      change(cacheOf(home));
      const { status, stdout, stderr } = await start(home, file, cat);
      expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
      expect(stderr).toMatch(
        /(extract: \/.*\/cache|\[E_HOME_UNUSABLE\] .*\.fuselage): expected a directory of user|extract: .*\/cache: File exists/,
      );
    });
  }

  check("a tree that another user put there is not started", async () => {
    const home = userDirectory();
    await start(home, file, cat);
    chownSync(path.join(cacheOf(home), `${treesOf(home)[0]}`), uid + 1, gid + 1);
    expect(await start(home, file, cat)).toMatchObject({ status: 125, stdout: "" });
  });
});

describe("where the home directory is of no use", () => {
  /** Mounts `options` over the home first. */
  const startWith = (home: string, mount: string, env: Record<string, string>) => {
    const args = ["-m", "sh", "-c", `${mount} && exec "$@"`, home, refuse, `${uid}`, `${gid}`];
    return run("unshare", [...args, file, "/bin/sh", "-c", 'echo "$FUSELAGE_BUNDLE_DIR"'], {
      env: { HOME: home, FUSELAGE_MOUNT: "extract", ...env },
    });
  };
  const noexec = `mount -t tmpfs -o noexec,mode=700,uid=${uid},gid=${gid} none "$0"`;

  check("noexec: TMPDIR is taken", async () => {
    const TMPDIR = userDirectory();
    const { status, stdout } = await startWith(userDirectory(), noexec, { TMPDIR });
    expect(status).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^${TMPDIR}/fuselage-${uid}/cache/[0-9a-f]{16}.tree/files\n$`),
    );
    expect(statSync(path.join(TMPDIR, `fuselage-${uid}`)).mode & 0o777).toBe(0o700);
  });

  check("noexec, and told to use no other: refused in words", async () => {
    const home = userDirectory();
    const { status, stderr } = await startWith(home, noexec, { FUSELAGE_HOME: home });
    expect(status).toBe(125);
    expect(stderr).toContain(
      `extract: ${home}/cache: is mounted noexec, no program starts from there`,
    );
  });

  check("read-only: the next is taken, also when the folders are there", async () => {
    const home = userDirectory();
    expect((await start(home, file, cat)).status).toBe(0);
    const TMPDIR = userDirectory();
    const mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"';
    const { status, stdout } = await startWith(home, mount, { TMPDIR });
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(new RegExp(`^${TMPDIR}/fuselage-${uid}/cache/`)),
    });
  });

  check("another user's, a link, open to others: the next is taken", async () => {
    const changes = [
      (cache: string) => chownSync(cache, uid + 1, gid + 1),
      (cache: string) => chmodSync(cache, 0o777),
      (cache: string) => chownSync(path.dirname(cache), uid + 1, gid + 1),
      (cache: string) => {
        renameSync(cache, `${cache}.real`);
        symlinkSync(`${cache}.real`, cache);
      },
    ];
    for (const change of changes) {
      const home = userDirectory();
      expect((await start(home, file, cat)).status).toBe(0);
      change(cacheOf(home));
      const TMPDIR = userDirectory();
      const { status, stdout } = await startWith(home, "true", { TMPDIR, XDG_RUNTIME_DIR: TMPDIR });
      expect(status).toBe(0);
      expect(stdout).toMatch(new RegExp(`^${TMPDIR}/fuselage(-${uid})?/cache/`));
    }
  });
});

describe("the reaper", () => {
  const long = new Date(Date.now() - 40 * 86_400_000);
  /** Lets the next start clean up, which it does in a process of its own. */
  const reap = async (home: string, other: string) => {
    rmSync(path.join(cacheOf(home), ".reaped"), { force: true });
    expect((await start(home, other, ["/bin/true"])).status).toBe(0);
  };
  /** Whether it is still there, after one more start that cleans up. */
  const survives = (home: string, other: string, name: string) => async () => {
    await reap(home, other);
    return existsSync(path.join(cacheOf(home), name));
  };

  check("leaves a tree alone for as long as the app runs, and takes it afterwards", async () => {
    const home = userDirectory();
    const args = [`${uid}`, `${gid}`, file, "/bin/sh", "-c", "echo up; read line; echo bye"];
    const child = spawn(refuse, args, {
      env: { ...aloneIn(home), FUSELAGE_MOUNT: "extract" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    const tree = `${treesOf(home)[0]}`;
    utimesSync(path.join(cacheOf(home), tree), long, long);
    await reap(home, large);
    // Another old one shows that the reaper has been here.
    const name = "0123456789abcdef.tree";
    const old = path.join(cacheOf(home), name);
    mkdirSync(old);
    chownSync(old, uid, gid);
    utimesSync(old, long, long);
    await expect.poll(survives(home, large, name)).toBe(false);
    expect(existsSync(path.join(cacheOf(home), tree, "files/run"))).toBe(true);
    child.stdin.end("\n");
    await once(child, "exit");
    // Who has it locked for the app ends behind it.
    await expect.poll(survives(home, large, tree)).toBe(false);
  });
});
