/**
 * `bundle mount`, `bundle umount`, --bundle-mount and --mount-fd: mounts that the whole machine
 * sees, and what is left of them, which is nothing.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { type PackOptions, pack as packArchive } from "../../builder/api/pack.ts";
import { runArguments } from "../support/bundle-of.ts";
import {
  as,
  bundle,
  cat,
  done,
  fuse,
  fusermount,
  leftOfMount,
  loop,
  mountLines,
  mountPoint,
  table,
  ways,
} from "../support/host-mounts.ts";
import { type Leftovers, leftovers, nothing } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import {
  bundleCommand,
  fuselage,
  ordinaryUser,
  root,
  run,
  signalListed,
} from "../support/process.ts";
import { buildSanitized } from "../support/sanitized.ts";
import { stopBehind } from "../support/stopped.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import { until } from "../support/until.ts";

let app: string;
beforeAll(async () => {
  app = await pack({ run: runArguments, "data/file": "packed\n" });
});

/** What came with a mount of `app` at `dir` and has not gone soon. */
const left = (before: Leftovers, dir: string) => leftOfMount(before, app, dir);

describe.each(ways)("$title", (way) => {
  const check = skipUnless(...way.needs);
  const type = `--mount-type=${way.type}`;

  check("the files are there when mount returns, and gone after umount", async () => {
    const dir = mountPoint(way);
    const before = leftovers();
    // Runs to its end only when nothing detached holds its output open.
    expect(await bundle(way, "mount", app, dir, type)).toMatchObject(done);
    expect(await cat(dir, "data/file", way)).toMatchObject({ status: 0, stdout: "packed\n" });
    const expected = way.type === "loop" ? "squashfs" : "fuse.fuselage";
    expect(table(dir)).toMatchObject({ type: expected });
    if (way.type !== "loop") expect(table(dir)?.source).toBe(app);
    const options = readFileSync("/proc/self/mounts", "utf8");
    expect(options).toMatch(new RegExp(`${dir.replaceAll(" ", ".040")} \\S+ ro,nosuid,nodev,`));
    expect(await bundle(way, "umount", dir)).toMatchObject(done);
    expect(readdirSync(dir)).toEqual([]);
    expect(await left(before, dir)).toEqual(nothing);
  });

  check("what is in use is not taken away, unless it is to be lazy", async () => {
    const dir = mountPoint(way);
    const before = leftovers();
    expect(await bundle(way, "mount", app, dir, type)).toMatchObject(done);
    const held = spawn("sh", ["-c", 'exec 3<"$0/data/file"; echo up; read line; cat <&3', dir], {
      ...as(way),
      stdio: ["pipe", "pipe", "inherit"],
    });
    const ended = once(held, "exit");
    held.stdout.setEncoding("utf8");
    await once(held.stdout, "data");
    const busy = await bundle(way, "umount", dir);
    expect(busy).toMatchObject({ status: 1, stdout: "" });
    expect(busy.stderr).toContain("[E_UMOUNT_BUSY]");
    expect(busy.stderr).toContain("--lazy");
    expect(await bundle(way, "umount", dir, "--lazy")).toMatchObject(done);
    expect(readdirSync(dir)).toEqual([]);
    held.stdin.end("go on\n");
    const [content] = await once(held.stdout, "data");
    expect(content).toBe("packed\n");
    await ended;
    expect(await left(before, dir)).toEqual(nothing);
  });

  check("in the foreground it stays until a signal, or until it is unmounted", async () => {
    const before = leftovers();
    for (const end of ["SIGTERM", "SIGINT", "umount"] as const) {
      const dir = mountPoint(way);
      const child = spawn(
        process.execPath,
        [bundleCommand, "mount", app, dir, type, "--foreground"],
        {
          ...as(way),
          stdio: ["ignore", "inherit", "inherit"],
        },
      );
      const ended = once(child, "exit");
      while (table(dir) === undefined && child.exitCode === null) await sleep(10);
      expect(await cat(dir, "data/file", way)).toMatchObject({ stdout: "packed\n" });
      expect(child.exitCode).toBe(null);
      if (end === "umount") expect(await bundle(way, "umount", dir)).toMatchObject(done);
      else child.kill(end);
      expect(await ended).toEqual([0, null]);
      expect(table(dir)).toBeUndefined();
      expect(await left(before, dir)).toEqual(nothing);
    }
  });

  /** The runner itself, in the foreground, when its mount is there. */
  async function inForeground(dir: string) {
    const child = spawn(fuselage, [`--mount=${app}`, type, "--foreground", dir], {
      ...as(way),
      stdio: "inherit",
    });
    await until("a mount", () => table(dir) !== undefined);
    return { child, ended: once(child, "exit") };
  }

  check("in the foreground it ends well, too, when others are faster to unmount it", async () => {
    const dir = mountPoint(way);
    const before = leftovers();
    const { child, ended } = await inForeground(dir);
    child.kill("SIGSTOP");
    const state = () => readFileSync(`/proc/${child.pid}/stat`, "latin1");
    await until("a process that is stopped", () => /\) T/.test(state()), state);
    expect(await bundle(way, "umount", dir)).toMatchObject(done);
    child.kill("SIGTERM");
    child.kill("SIGCONT");
    expect(await ended).toEqual([0, null]);
    expect(await left(before, dir)).toEqual(nothing);
  });

  const traced = skipUnless("root", "strace", ...way.needs);
  const runner = (dir: string, ...more: string[]) => [
    fuselage,
    `--mount=${app}`,
    type,
    ...more,
    dir,
  ];

  traced("in the foreground it ends when it was unmounted before anybody watched it", async () => {
    const dir = mountPoint(way);
    const before = leftovers();
    const command = runner(dir, "--foreground");
    const held = await stopBehind("/^open", "/proc/self/mountinfo", command, as(way));
    expect(await bundle(way, "umount", dir)).toMatchObject(done);
    expect(await held.goOn()).toEqual({ ...done, signal: null });
    expect(await left(before, dir)).toEqual(nothing);
  });

  // In a namespace of its own: what goes wrong there would be over everything.
  if (!way.asUser)
    traced("where another mount is taken away meanwhile it is refused, and not at /", async () => {
      const dir = mountPoint(way);
      const script = '"$@" "$dir" && exec "$@" "$dir"';
      const inside = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"];
      const command = [...inside, fuselage, `--mount=${app}`, type];
      const held = await stopBehind("/^open", dir, command, { env: { dir } });
      const enter = ["--mount", `--target=${held.pid}`];
      expect(await run("nsenter", [...enter, "umount", "--lazy", dir])).toMatchObject(done);
      const refused = await held.goOn();
      expect(refused).toMatchObject({ status: 125, stdout: "" });
      expect(refused.stderr).toContain(`[E_MOUNT_POINT] ${dir}: Stale file handle`);
    });

  traced("a signal in the middle leaves nothing", async () => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      const dir = mountPoint(way);
      const before = leftovers();
      // The device is there by then, or the mount, and nobody has been told so.
      const call = { loop: "mount", fuse: "mount", fusermount: "recvmsg" }[way.type];
      const held = await stopBehind(call, undefined, runner(dir), as(way));
      process.kill(held.pid, signal);
      expect(await held.goOn()).toMatchObject({ stdout: "", stderr: "" });
      expect(table(dir)).toBeUndefined();
      expect(await left(before, dir)).toEqual(nothing);
    }
  });

  check("the file that was opened stays mounted when another takes its name", async () => {
    const dir = mountPoint(way);
    const file = path.join(temporaryDirectory(), "app.run");
    copyFileSync(app, file);
    expect(await bundle(way, "mount", file, dir, type)).toMatchObject(done);
    writeFileSync(`${file}.new`, "something else");
    renameSync(`${file}.new`, file);
    expect(await cat(dir, "run", way)).toMatchObject({ stdout: runArguments });
    expect(await bundle(way, "umount", dir)).toMatchObject(done);
  });

  check("--bundle-mount mounts where it is told, or prints a place of its own", async () => {
    const dir = mountPoint(way);
    const before = leftovers();
    const env = { FUSELAGE_MOUNT: way.type, TMPDIR: path.dirname(dir) };
    expect(await run(app, ["--bundle-mount", dir], { ...as(way), env })).toMatchObject(done);
    expect(await cat(dir, "data/file", way)).toMatchObject({ stdout: "packed\n" });
    expect(await bundle(way, "umount", dir)).toMatchObject(done);

    const child = spawn(app, ["--bundle-mount"], {
      ...as(way),
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.setEncoding("utf8");
    const [line] = (await once(child.stdout, "data")) as [string];
    const made = line.trimEnd();
    expect(made).toMatch(new RegExp(`^${path.dirname(dir)}/app\\.[A-Za-z]{6}$`));
    expect(await cat(made, "data/file", way)).toMatchObject({ stdout: "packed\n" });
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(existsSync(made)).toBe(false);
    expect(await left(before, path.dirname(dir))).toEqual(nothing);
  });
});

describe("which archives", () => {
  const check = skipUnless("root", "fuse");
  const kinds: [string, Partial<PackOptions>][] = [
    ["image.sfs", {}],
    ["archive.zip", {}],
    ["text.b64", { shebang: "/usr/bin/env true" }],
  ];
  for (const [name, options] of kinds) {
    check(name, async () => {
      const base = temporaryDirectory();
      mkdirSync(path.join(base, "in/data"), { recursive: true });
      writeFileSync(path.join(base, "in/data/file"), "of an archive\n");
      const output = path.join(base, name);
      await packArchive({ input: path.join(base, "in"), output, ...options });
      const dir = mountPoint();
      expect(await bundle(fuse, "mount", output, dir)).toMatchObject(done);
      expect(await cat(dir)).toMatchObject({ stdout: "of an archive\n" });
      expect(await bundle(fuse, "umount", dir)).toMatchObject(done);
    });
  }
});

/** How many threads each server of an image has. */
function threadsOfServers(image: string): number[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      const isServer =
        readFileSync(`/proc/${pid}/comm`, "utf8") === "fuselage-fuse\n" &&
        readlinkSync(`/proc/${pid}/fd/1`) === image;
      return isServer ? [readdirSync(`/proc/${pid}/task`).length] : [];
    } catch {
      return []; // It has ended, or is no process.
    }
  });
}

describe("-o", () => {
  skipUnless("root", "fuse")("uid, gid and noexec are what they say", async () => {
    const dir = mountPoint();
    const options = ["-o", "uid=4294967294,gid=77", "-o", "noexec,ro,nosuid,nodev,cache=1M"];
    expect(await bundle(fuse, "mount", app, dir, ...options)).toMatchObject(done);
    expect(table(dir)).toMatchObject({ type: "fuse.fuselage" });
    expect(statSync(path.join(dir, "run"))).toMatchObject({ uid: 4294967294, gid: 77 });
    expect((await run("sh", ["-c", '"$0"/run true', dir])).stderr).toContain("Permission denied");
    expect(await bundle(fuse, "umount", dir)).toMatchObject(done);
  });

  for (const way of [loop, fuse]) {
    skipUnless(...way.needs)(`suid and dev are root's to allow, ${way.title}`, async () => {
      const dir = mountPoint();
      const options = ["-o", "suid,devices,threads=1,x-systemd.automount,nofail,defaults"];
      expect(await bundle(way, "mount", app, dir, ...options)).toMatchObject(done);
      const [line = ""] = mountLines(dir);
      expect(line).not.toMatch(/nosuid|nodev/);
      expect(line).toMatch(/ ro[, ]/);
      expect(await cat(dir)).toMatchObject({ stdout: "packed\n" });
      expect(await bundle(way, "umount", dir)).toMatchObject(done);
    });
  }

  skipUnless(...fuse.needs)("threads=N answer when there is much to do", async () => {
    const files = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`d${i}/f`, `${i}`]));
    const many = await pack({ run: "#!/bin/sh\n", ...files });
    for (const threads of [1, 3, 20, 64]) {
      const dir = mountPoint();
      const options = ["--mount-type=fuse", "-o", `threads=${threads}`];
      expect(await bundle(fuse, "mount", many, dir, ...options)).toMatchObject(done);
      expect((await run("sh", ["-c", 'cat "$0"/d*/f | wc -c', dir])).stdout).toBe("790\n");
      // And one for what no request waits for. The server of the mount before may be about to end.
      await expect.poll(() => threadsOfServers(many)).toEqual([threads + 1]);
      expect(await bundle(fuse, "umount", dir)).toMatchObject(done);
    }
    for (const word of ["threads=0", "threads=65", "threads=", "threads=4K"]) {
      const { status, stderr } = await bundle(fuse, "mount", many, mountPoint(), "-o", word);
      expect({ status, stderr }).toEqual({
        status: 2,
        stderr: expect.stringContaining("[E_FUSE_OPTION]"),
      });
    }
  });

  skipUnless("fuse", "fusermount")("suid is not a user's to ask for", async () => {
    for (const words of ["suid", "dev", 'context="a:b:c:d,e"']) {
      const dir = mountPoint(fusermount);
      const { status, stderr } = await bundle(fusermount, "mount", app, dir, "-o", words);
      expect({ status, stderr }).toEqual({
        status: 2,
        stderr: expect.stringContaining("[E_FUSE_OPTION] -o: suid, dev and contexts are for"),
      });
    }
  });

  skipUnless("root", "loop")("a context reaches the security module, or is refused", async () => {
    const dir = mountPoint();
    const context = "system_u:object_r:usr_t:s0:c1,c2";
    const outcome = await bundle(loop, "mount", app, dir, "-o", `context="${context}"`);
    if (existsSync("/sys/fs/selinux/enforce")) {
      expect(outcome).toMatchObject(done);
      expect(mountLines(dir)[0]).toContain(context);
      await bundle(loop, "umount", dir);
    } else expect(outcome.stderr).toContain("E_MOUNT_REFUSED");
  });

  skipUnless("fuse", "fusermount")("allow_other is the administrator's to allow", async () => {
    const dir = mountPoint(fusermount);
    const outcome = await bundle(fusermount, "mount", app, dir, "-o", "allow_other");
    if (/^user_allow_other/m.test(readFileSync("/etc/fuse.conf", "utf8"))) {
      expect(outcome).toMatchObject(done);
      await bundle(fusermount, "umount", dir);
      return;
    }
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toContain("'user_allow_other' is set in /etc/fuse.conf");
    expect(table(dir)).toBeUndefined();
  });

  let runtime: string;
  beforeAll(async () => {
    runtime = (await buildSanitized()).runtime;
  }, 600_000);

  // Read before anything is opened, so that the parser built with ASan and UBSan is alone with it.
  test.each([
    ["cache", '"cache"'],
    ["cache=", '"cache="'],
    ["cache=1", '"cache=1"'],
    ["cache=1025G", '"cache=1025G"'],
    ["cache=18446744073709551616", '"cache=18446744073709551616"'],
    ["cache=16MM", '"cache=16MM"'],
    ["cache=-1", '"cache=-1"'],
    ["uid=", '"uid="'],
    ["uid=4294967295", '"uid=4294967295"'],
    ["gid=1K", '"gid=1K"'],
    ["uid=0,,ro", '""'],
    ["ro=1", '"ro=1"'],
    ["rwx", '"rwx"'],
    [`ro,${"x".repeat(500)}`, '"xxxx'],
  ])("%s is refused by name, for %s", async (list, shown) => {
    const outcome = await run(runtime, [`--mount=${app}`, "-o", list, "/nonexistent"]);
    expect(outcome.stderr).toContain(`[E_FUSE_OPTION] -o: ${shown}`);
    expect(outcome.status).toBe(125);
  });
});

describe("built with ASan and UBSan", () => {
  let runtime: string;
  beforeAll(async () => {
    runtime = (await buildSanitized()).runtime;
  }, 600_000);

  for (const type of ["loop", "fuse", "fusermount"]) {
    const check = skipUnless("root", "loop", "fuse", "fusermount");
    check(`a mount by ${type} has no fault and leaks nothing`, async () => {
      const dir = mountPoint();
      const args = [`--mount=${app}`, `--mount-type=${type}`, "-o", "cache=2M,auto_unmount", dir];
      expect(await run(runtime, args)).toMatchObject(done);
      expect(await cat(dir)).toMatchObject({ stdout: "packed\n" });
      expect(await bundle(loop, "umount", dir)).toMatchObject(done);
    });
  }
});

describe("by mount(8)", () => {
  /** The runner by its other name, and a shell in a namespace of its own where mount(8) finds it. */
  function called(): string {
    const bin = temporaryDirectory();
    copyFileSync(fuselage, path.join(bin, "mount.fuselage"));
    return path.join(bin, "mount.fuselage");
  }

  skipUnless("root", "loop")("a line of fstab mounts and unmounts", async () => {
    const dir = path.join(temporaryDirectory(), "plain");
    mkdirSync(dir);
    const fstab = `${app} ${dir} fuselage nofail,noexec,x-systemd.automount,set-id 0 0\n`;
    const table = path.join(temporaryDirectory(), "fstab");
    writeFileSync(table, fstab);
    // mount(8) looks for its helpers in /sbin, which is another one in a namespace of the test's.
    const script = `
      set -e
      cp -a /sbin/. "$3" && cp "$0" "$3" && mount --bind "$3" /sbin
      mount -T "$1" "$2"
      grep " $2 " /proc/self/mountinfo
      umount "$2"
      ! grep " $2 " /proc/self/mountinfo`;
    const args = [called(), table, dir, temporaryDirectory()];
    const outcome = await run("unshare", ["-m", "sh", "-c", script, ...args]);
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    expect(outcome.stdout).toMatch(/ ro,nodev,noexec/);
  });

  skipUnless("root", "loop")("its arguments are taken as they come", async () => {
    const dir = mountPoint();
    const helper = called();
    const args = [app, dir, "-n", "-s", "-o", "rw,nodev,rw", "-t", "fuselage"];
    expect(await run(helper, [...args, "-f"])).toMatchObject(done);
    expect(mountLines(dir)).toEqual([]);
    expect(await run(helper, args)).toMatchObject(done);
    expect(mountLines(dir)[0]).toContain("ro,nosuid,nodev");
    execFileSync("umount", [dir]);
    for (const wrong of [[app], [app, dir, "more"], [app, dir, "-z"], [app, dir, "-o"]]) {
      const { status, stderr } = await run(helper, wrong);
      expect({ status, stderr }).toEqual({
        status: 125,
        stderr: expect.stringContaining("[E_OPTION_UNKNOWN] mount.fuselage"),
      });
    }
  });
});

describe("what cannot be", () => {
  const refused: [string, (dir: string) => string[], string, string?][] = [
    ["no such directory", (dir) => [app, `${dir}/none`], "E_MOUNT_POINT", "No such file"],
    ["a file as directory", () => [app, app], "E_MOUNT_POINT", "Not a directory"],
    ["no such file", (dir) => ["/nonexistent", dir], "E_ARCHIVE_OPEN", "/nonexistent"],
    ["a folder as archive", (dir) => [dir, dir], "E_ARCHIVE_OPEN", "found a directory"],
    ["a text as archive", (dir) => ["/etc/passwd", dir], "E_ARCHIVE_FORMAT"],
    ["a type that leaves no mount", (dir) => [app, dir, "--mount-type=extract"], "E_OPTION_VALUE"],
    ["a type that is none", (dir) => [app, dir, "--mount-type=nfs"], "E_OPTION_VALUE"],
  ];
  for (const [title, args, code, words = ""] of refused) {
    test(title, async () => {
      const { status, stdout, stderr } = await bundle(undefined, "mount", ...args(mountPoint()));
      expect(stdout).toBe("");
      expect(stderr).toMatch(new RegExp(`^bundle: \\[${code}\\] `));
      expect(stderr).toContain(words);
      expect(status === 1 || status === 2).toBe(true);
    });
  }

  skipUnless("root", "loop")("uid= asks for more than the kernel's squashfs does", async () => {
    const { stderr } = await bundle(
      loop,
      "mount",
      app,
      mountPoint(),
      "-o",
      "uid=1",
      "--mount-type=loop",
    );
    expect(stderr).toContain("[E_MOUNT_REFUSED]");
    expect(stderr).toContain("uid= and gid= are for fuse");
  });

  skipUnless("fuse", "fusermount")("a user's mount in the way is named", async () => {
    const dir = mountPoint(fusermount);
    expect(await bundle(fusermount, "mount", app, dir)).toMatchObject({ status: 0 });
    const { status, stderr } = await bundle(fusermount, "mount", app, dir);
    expect([status, stderr]).toEqual([1, expect.stringContaining("E_MOUNT_REFUSED")]);
    expect(stderr).toMatch(/\n {2}An image is mounted there already: `bundle umount DIR`/);
    expect(await bundle(fusermount, "umount", dir)).toMatchObject({ status: 0 });
  });

  skipUnless("fuse", "fusermount")("another's directory is refused to a user", async () => {
    const { status, stderr } = await bundle(fusermount, "mount", app, "/usr");
    expect(status).toBe(1);
    expect(stderr).toContain("[E_MOUNT_REFUSED]");
    expect(stderr).toContain("no write access to mountpoint");
  });

  skipUnless("root", "fuse")("without fusermount3 a user is told what to install", async () => {
    const args = [bundleCommand, "mount", app, mountPoint(fusermount)];
    const env = { PATH: "/nonexistent" };
    const { stderr } = await run(process.execPath, args, { ...ordinaryUser(), env });
    expect(stderr).toContain("fusermount3 is not installed (package fuse3)");
  });

  skipUnless(
    "root",
    "loop",
    "strace",
  )(
    "of two that unmount it at once one does, and the other hears that nothing is mounted there",
    async () => {
      const dir = mountPoint(loop);
      expect(await bundle(loop, "mount", app, dir)).toMatchObject(done);
      // Both have looked by then, on all but the busiest machine.
      const late = "inject=umount2:delay_enter=2000000";
      const words = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=umount2", "-e", late];
      const umount = () =>
        run("strace", [...words, process.execPath, bundleCommand, "umount", dir]);
      const outcomes = await Promise.all([umount(), umount()]);
      outcomes.sort((a, b) => Number(a.status) - Number(b.status));
      expect(outcomes).toMatchObject([
        done,
        {
          status: 1,
          stderr: expect.stringContaining("[E_UMOUNT] " + dir + ": nothing is mounted there"),
        },
      ]);
      expect(mountLines(dir)).toEqual([]);
    },
  );

  test("umount leaves alone what is not ours", async () => {
    const dir = mountPoint();
    const found = (await bundle(undefined, "umount", dir)).stderr;
    expect(found).toContain(`[E_UMOUNT] ${dir}: nothing is mounted there`);
    expect((await bundle(undefined, "umount", "/proc")).stderr).toContain("found proc from proc");
    expect((await bundle(undefined, "umount", `${dir}/none`)).stderr).toContain("does not exist");
  });

  skipUnless(
    "root",
    "fuse",
    "loop",
  )("a user leaves alone what root mounted", async () => {
    for (const type of ["loop", "fuse"]) {
      const dir = mountPoint();
      expect(await bundle(loop, "mount", app, dir, `--mount-type=${type}`)).toMatchObject(done);
      const { status, stderr } = await bundle(fusermount, "umount", dir);
      expect(status).toBe(1);
      expect(stderr).toContain("found one of user 0");
      expect(await bundle(loop, "umount", dir)).toMatchObject(done);
    }
  });

  skipUnless(
    "root",
    "loop",
    "mksquashfs",
  )("root's other loop mounts are left alone", async () => {
    const dir = mountPoint();
    const image = path.join(temporaryDirectory(), "image.sfs");
    execFileSync("mksquashfs", [path.join(root, "docs"), image, "-quiet", "-no-progress"]);
    execFileSync("mount", ["-o", "loop,ro", image, dir]);
    const { stderr } = await bundle(loop, "umount", dir);
    execFileSync("umount", [dir]);
    expect(stderr).toContain(
      "expected a mount made by `bundle mount`, found squashfs from /dev/loop",
    );
  });
});

describe("the server", () => {
  skipUnless("root", "fuse")("ends with the mount namespace that it serves", async () => {
    const dir = mountPoint();
    const before = leftovers();
    const mount = [fuselage, `--mount=${app}`, "--mount-type=fuse", dir];
    const script = '"$@" && cat "$0/data/file"';
    const { stdout } = await run("unshare", ["-m", "sh", "-c", script, dir, ...mount]);
    expect(stdout).toBe("packed\n");
    expect(await left(before, dir)).toEqual(nothing);
  });

  skipUnless("root", "fuse")("holds none of the host's file systems", async () => {
    const dir = mountPoint();
    const other = mountPoint();
    execFileSync("mount", ["-t", "tmpfs", "none", other]);
    const args = [`--mount=${app}`, "--mount-type=fuse", dir];
    expect(await run(fuselage, args, { cwd: other })).toMatchObject(done);
    execFileSync("umount", [other]); // which says that it is busy when it is
    const [pid] =
      leftovers()
        .processes.find((line) => line.includes(dir))
        ?.split(" ") ?? [];
    expect(readFileSync(`/proc/${pid}/mountinfo`, "utf8").trim().split("\n")).toHaveLength(1);
    const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    // Sockets are its own: one whose other end is closed, and the system's log.
    expect(links.filter((link) => !link.startsWith("socket:")).sort()).toEqual(["/dev/fuse", app]);
    expect(links.length).toBeLessThanOrEqual(4);
    const [, , , parent, group, session] = readFileSync(`/proc/${pid}/stat`, "utf8").split(" ");
    expect({ group, session }).toEqual({ group: pid, session: pid });
    expect(Number(parent)).not.toBe(process.pid);
    expect(await bundle(fuse, "umount", dir)).toMatchObject(done);
  });
});

describe("who mounts", () => {
  skipUnless("fuse", "userns")("root of a user namespace, by our server", async () => {
    const dir = mountPoint(fusermount);
    const script = '"$@" && cat "$0/data/file" && stat -c %u "$0/run"';
    const mount = [fuselage, `--mount=${app}`, dir];
    const args = ["-Urm", "sh", "-c", script, dir, ...mount];
    const outcome = await run("unshare", args, ordinaryUser());
    expect(outcome).toMatchObject({ status: 0, stdout: "packed\n0\n", stderr: "" });
  });

  skipUnless(
    "root",
    "fuse",
    "fusermount",
  )("a user, where fuselage is setuid-root", async () => {
    const dir = mountPoint(fusermount);
    const installed = path.join(temporaryDirectory(), "fuselage");
    copyFileSync(fuselage, installed);
    chmodSync(installed, 0o4755);
    const args = [`--mount=${app}`, dir];
    expect(await run(installed, args, ordinaryUser())).toMatchObject(done);
    expect(table(dir)).toMatchObject({ userId: ordinaryUser().uid });
    const [pid] =
      leftovers()
        .processes.find((line) => line.includes(dir))
        ?.split(" ") ?? [];
    const uid = ordinaryUser().uid;
    const ids = new RegExp(`^Uid:(\\s+${uid}){4}$`, "m");
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(ids);
    expect(await bundle(fusermount, "umount", dir)).toMatchObject(done);
    const refused = await run(
      installed,
      [`--mount=${app}`, "--mount-type=loop", dir],
      ordinaryUser(),
    );
    expect(refused.stderr).toContain(`needs CAP_SYS_ADMIN (running as uid ${uid} without it)`);
  });

  skipUnless("root", "fuse")("nobody, where there is no /dev/fuse", async () => {
    const script = 'mount -t tmpfs none /dev && exec "$@"';
    const mount = [fuselage, `--mount=${app}`, "--mount-type=fuse", mountPoint()];
    const { status, stderr } = await run("unshare", ["-m", "sh", "-c", script, "sh", ...mount]);
    expect(status).toBe(125);
    expect(stderr).toContain("/dev/fuse does not exist (the fuse module is not loaded");
  });

  for (const way of [fuse, fusermount]) {
    skipUnless(...way.needs)(`a dead server's mount is taken away: ${way.title}`, async () => {
      const dir = mountPoint(way);
      const args = ["mount", app, dir, `--mount-type=${way.type}`];
      expect(await bundle(way, ...args)).toMatchObject(done);
      const [pid] =
        leftovers()
          .processes.find((line) => line.includes(dir))
          ?.split(" ") ?? [];
      signalListed(Number(pid), "SIGKILL");
      expect(await bundle(way, "umount", dir)).toMatchObject(done);
      expect(table(dir)).toBeUndefined();
    });
  }
});

describe("--mount-fd", () => {
  const check = skipUnless("root", "fuse", "loop", "gcc");
  let program: string;
  beforeAll(() => {
    program = path.join(temporaryDirectory(), "mount-fd");
    const source = path.join(root, "test/support/mount-fd.c");
    execFileSync("cc", ["-Wall", "-Wextra", "-Werror", "-o", program, source]);
    chmodSync(program, 0o755);
  });

  for (const type of ["loop", "fuse"]) {
    check(`a program gets a mount by ${type}, places it, and nothing stays`, async () => {
      const dir = mountPoint();
      const before = leftovers();
      const outcome = await run(program, [fuselage, app, type, dir, "data/file"]);
      expect(outcome).toMatchObject({ status: 0, stdout: `0 ${type}\npacked\n`, stderr: "" });
      expect(await left(before, app)).toEqual(nothing);
    });
  }

  skipUnless(
    "fuse",
    "userns",
    "gcc",
  )("root of a user namespace gets one too", async () => {
    const dir = mountPoint(fusermount);
    const before = leftovers();
    const args = ["-Urm", program, fuselage, app, "auto", dir, "data/file"];
    const outcome = await run("unshare", args, ordinaryUser());
    expect(outcome).toMatchObject({ status: 0, stdout: "0 fuse\npacked\n", stderr: "" });
    expect(await left(before, app)).toEqual(nothing);
  });

  check("a mount that nobody places ends, and its server with it", async () => {
    const before = leftovers();
    const outcome = await run(program, [fuselage, app, "fuse", "/nonexistent/place", "x"]);
    expect(outcome).toMatchObject({ status: 4, stdout: "0 fuse\n" });
    expect(await left(before, app)).toEqual(nothing);
  });

  check("a failure comes over the socket, with its errno and its words", async () => {
    const outcome = await run(program, [fuselage, "/nonexistent", "auto", "-", "x"]);
    expect(outcome.status).toBe(0);
    expect(outcome.stdout).toBe("2 [E_ARCHIVE_OPEN] /nonexistent: No such file or directory\n");
  });

  test.each([
    ["without LISTEN_FDS", {}],
    ["with another's LISTEN_PID", { LISTEN_FDS: "1", LISTEN_PID: "1" }],
    ["without a socket", { LISTEN_FDS: "1" }],
  ])("%s it is refused", async (_, env) => {
    const outcome = await run(fuselage, [`--mount-fd=${app}`], { env });
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain("[E_MOUNT_SOCKET]");
  });
});

/** What a program gives besides the socket, which here is standard input. */
test.each([
  ["without a name", "2", "answer"],
  ["with a name that nobody knows", "2", "answer:file"],
  ["with a part of a name", "2", "answer:imag"],
  ["twice", "3", "answer:image:image"],
  ["too many", "4", "answer:image:fuse:fuse"],
  ["that is closed", "3", "answer:image:fuse"],
])("--mount-fd refuses a descriptor %s", async (_, LISTEN_FDS, LISTEN_FDNAMES) => {
  const script = 'exec 3<&0 4</dev/null 5<&-; exec "$0" "$@"';
  const env = { LISTEN_FDS, LISTEN_FDNAMES };
  const outcome = await run("sh", ["-c", script, fuselage, `--mount-fd=${app}`], { env });
  expect(outcome).toMatchObject({ status: 125, stdout: "" });
  expect(outcome.stderr).toContain("[E_MOUNT_SOCKET]");
});

test("an app's own options of these names reach it", async () => {
  const args = ["-s", `app:${app}`, "--run", "run", "echo"];
  const own = ["--mount=x", "-o", "y", "--foreground"];
  const env = { HOME: userDirectory() };
  expect(await run(fuselage, [...args, ...own], { env })).toMatchObject({
    status: 0,
    stdout: `${own.join(" ")}\n`,
  });
});
