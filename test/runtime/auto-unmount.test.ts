/** The word auto_unmount: a mount that goes when what serves it, or who waits for it, was killed. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import {
  as,
  bundle,
  cat,
  done,
  fuse,
  leftOfMount,
  mountPoint,
  serverOf,
  table,
  type Way,
  ways,
} from "../support/host-mounts.ts";
import { leftovers, nothing } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { bundleCommand, fuselage, run, signalListed } from "../support/process.ts";
import { until } from "../support/until.ts";

let app: string;
beforeAll(async () => {
  app = await pack({ run: runArguments, "data/file": "packed\n" });
});

const mount = (way: Way, dir: string, ...more: string[]) =>
  bundle(way, "mount", app, dir, `--mount-type=${way.type}`, ...more);
const word = ["-o", "auto_unmount"];
const goes = (dir: string) =>
  until(`the end of the mount at ${dir}`, () => table(dir) === undefined);
const killServer = async (dir: string) =>
  signalListed(await until(`a server of ${dir}`, () => serverOf(dir)), "SIGKILL");

describe.each(ways)("$title", (way) => {
  const check = skipUnless(...way.needs);

  check("after umount nothing stays, and what was mounted there since does", async () => {
    const dir = mountPoint(way);
    const before = leftovers();
    // Numbers of mounts are given again at once, so the second has the first one's.
    for (let times = 0; times < 3; times++) {
      expect(await mount(way, dir, ...word)).toMatchObject(done);
      expect(await cat(dir, "data/file", way)).toMatchObject({ stdout: "packed\n" });
      expect(await bundle(way, "umount", dir)).toMatchObject(done);
    }
    expect(await mount(way, dir)).toMatchObject(done);
    await sleep(300);
    expect(await cat(dir, "data/file", way)).toMatchObject({ stdout: "packed\n" });
    expect(await bundle(way, "umount", dir)).toMatchObject(done);
    expect(await leftOfMount(before, app, dir)).toEqual(nothing);
  });

  check("the mount goes with who waits for it in the foreground", async () => {
    const dir = mountPoint(way);
    const before = leftovers();
    // The runner itself: of `bundle` another process waits.
    const args = [`--mount=${app}`, `--mount-type=${way.type}`, "--foreground", ...word, dir];
    for (const end of ["SIGKILL", "SIGTERM"] as const) {
      const child = spawn(fuselage, args, { ...as(way), stdio: "inherit" });
      const ended = once(child, "exit");
      while (table(dir) === undefined && child.exitCode === null) await sleep(10);
      expect(await cat(dir, "data/file", way)).toMatchObject({ stdout: "packed\n" });
      child.kill(end);
      expect(await ended).toEqual(end === "SIGKILL" ? [null, end] : [0, null]);
      await goes(dir);
      expect(await leftOfMount(before, app, dir)).toEqual(nothing);
    }
  });

  if (way.type === "loop") {
    check("the kernel cannot be killed, so nothing is left behind that waits", async () => {
      const dir = mountPoint(way);
      const before = leftovers();
      expect(await mount(way, dir, ...word)).toMatchObject(done);
      expect(leftovers().processes.filter((line) => line.includes(dir))).toEqual([]);
      expect(await bundle(way, "umount", dir)).toMatchObject(done);
      expect(await leftOfMount(before, app, dir)).toEqual(nothing);
    });
    return;
  }

  check("the mount goes with its server", async () => {
    const dir = mountPoint(way);
    const before = leftovers();
    expect(await mount(way, dir, ...word)).toMatchObject(done);
    expect(await cat(dir, "data/file", way)).toMatchObject({ stdout: "packed\n" });
    await killServer(dir);
    await goes(dir);
    expect(readdirSync(dir)).toEqual([]);
    expect(await leftOfMount(before, app, dir)).toEqual(nothing);
  });

  check("it goes from under who uses it, too", async () => {
    const dir = mountPoint(way);
    const before = leftovers();
    expect(await mount(way, dir, ...word)).toMatchObject(done);
    const held = spawn("sh", ["-c", 'cd "$0"; exec 3<data/file; echo up; read line', dir], {
      ...as(way),
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(held.stdout, "data");
    await killServer(dir);
    await goes(dir);
    held.stdin.end("go on\n");
    await once(held, "exit");
    expect(await leftOfMount(before, app, dir)).toEqual(nothing);
  });

  check("in the foreground it goes with its server, and the command ends", async () => {
    const dir = mountPoint(way);
    const before = leftovers();
    const args = ["mount", app, dir, `--mount-type=${way.type}`, "--foreground", ...word];
    const child = spawn(process.execPath, [bundleCommand, ...args], {
      ...as(way),
      stdio: "inherit",
    });
    const ended = once(child, "exit");
    while (table(dir) === undefined && child.exitCode === null) await sleep(10);
    expect(await cat(dir, "data/file", way)).toMatchObject({ stdout: "packed\n" });
    await killServer(dir);
    expect(await ended).toEqual([0, null]);
    expect(table(dir)).toBeUndefined();
    expect(await leftOfMount(before, app, dir)).toEqual(nothing);
  });

  check("without the word the mount stays", async () => {
    const dir = mountPoint(way);
    expect(await mount(way, dir)).toMatchObject(done);
    await killServer(dir);
    await sleep(300);
    expect(table(dir)).toBeDefined();
    expect(await bundle(way, "umount", dir)).toMatchObject(done);
  });
});

skipUnless("root", "fuse")("another's mount over a dead one stays", async () => {
  const dir = mountPoint();
  expect(await mount(fuse, dir, ...word)).toMatchObject(done);
  execFileSync("mount", ["-t", "tmpfs", "none", dir]);
  await killServer(dir);
  await sleep(300);
  expect(table(dir)).toMatchObject({ type: "tmpfs" });
  execFileSync("umount", [dir]);
  execFileSync("umount", [dir]);
});

test("a detached mount is no place for it", async () => {
  const script = `use Socket;
    socketpair(my $ours, my $theirs, AF_UNIX, SOCK_SEQPACKET, 0) or die;
    if (!fork) { open(STDIN, "<&", $theirs); exec(@ARGV) }
    close($theirs); recv($ours, my $answer, 4096, 0);
    print unpack("l", $answer), " ", substr($answer, 4), "\n"; wait; exit($? >> 8)`;
  const exec = 'exec 3<&0 </dev/null && LISTEN_FDS=1 exec "$@"';
  const args = ["sh", "-c", exec, "sh", fuselage, `--mount-fd=${app}`, ...word];
  const { status, stdout } = await run("perl", ["-e", script, "--", ...args]);
  expect(status).toBe(125);
  expect(stdout).toMatch(/^22 \[E_FUSE_OPTION\] -o: auto_unmount is for a mount at a directory/);
});
