/**
 * Some seventy ways out of a sandbox, tried by a program that does nothing else (test/support/escapes.c), from
 * outside of any sandbox and in one. What is open stands here as "ok": docs/sandbox.md says so too.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect } from "vitest";
import { bundleOf } from "../support/bundle-of.ts";
import {
  type Attempts,
  fencedNeeds,
  fencedWays,
  type Prison,
  prison,
  startAs,
  tryEscapes,
  victimOf,
} from "../support/fenced.ts";
import { skipUnless } from "../support/needs.ts";
import { asOrdinary, homeOf, imageOf, runnerOf, type Way } from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Without a network, in private directories. */
const closed: Attempts = {
  "trace another process": "EPERM",
  "trace an own child": "EPERM",
  "read another's memory": "EPERM",
  "/proc/VICTIM/mem": "EROFS",
  "/proc/VICTIM/environ": "EACCES",
  "/proc/VICTIM/root": "EACCES",
  "/proc/VICTIM/cwd": "EACCES",
  "/proc/VICTIM/fd": "EACCES",
  pidfd_getfd: "EPERM",
  kcmp: "EPERM",
  kill: "EPERM",
  pidfd_send_signal: "EPERM",
  "prlimit of another": "EPERM",
  "setpriority of another": "ok",
  "abstract stream socket": "EPERM",
  "abstract datagram socket": "EPERM",
  "socket in /tmp": "ENOENT",
  TCP: "EACCES",
  "TCP fast open, sendto": "EACCES",
  "TCP fast open, sendmsg": "EACCES",
  MPTCP: "EACCES",
  UDP: "EACCES",
  "UDP of version 6": "EACCES",
  bind: "EACCES",
  "bind by MPTCP": "EACCES",
  "listen without bind": "EACCES",
  "listen at a path": "ok",
  vsock: "EAFNOSUPPORT",
  "packet socket": "EAFNOSUPPORT",
  "pair of Unix sockets": "ok",
  "pair of TCP sockets": "EOPNOTSUPP",
  "pair of packet sockets": "EOPNOTSUPP",
  "pair of TIPC sockets": "EOPNOTSUPP",
  "netlink: routes": "ok",
  "netlink: audit": "EPROTONOSUPPORT",
  keyctl: "EPERM",
  io_uring: "ENOSYS",
  userfaultfd: "EPERM",
  bpf: "EPERM",
  perf_event_open: "EPERM",
  TIOCSTI: "EPERM",
  "TIOCSTI with high bits": "EPERM",
  "set-id program": "EPERM",
  "program of the host": "ok",
  "program that was written": "ok",
  "memfd without a seal": "ok",
  "user namespace": "EPERM",
  "user namespace by clone": "EPERM",
  "user namespace by clone3": "ENOSYS",
  "bind mount": "EPERM",
  unmount: "EPERM",
  open_tree: "EPERM",
  chroot: "EPERM",
  "inherited directory": "EBADF",
  "inherited file": "EBADF",
  "read a secret": "ENOENT",
  "stat a secret": "ENOENT",
  "chmod a secret": "ENOENT",
  "utimes of a secret": "ENOENT",
  "watch a secret": "ENOENT",
  "symbolic link to a secret": "ENOENT",
  "hard link to a secret": "ENOENT",
  ".. of the directory": "ENOENT",
  "make a device": "EACCES",
  "System V shared memory": "ENOSYS",
  "/dev/shm of another": "ENOENT",
  "write /proc/sys": "EACCES",
  "/etc/hostname": "ok",
  "/etc/shadow": "EACCES",
  "list /var/lib": "EACCES",
  "mode of /etc/hostname": "EROFS",
  "terminal of another": "ENOENT",
  open_by_handle_at: "EPERM",
  "truncate a secret": "ENOENT",
  "move a secret": "EXDEV",
};

/** With a port of TCP allowed, which is not the victim's. */
const withPort: Attempts = {
  "TCP fast open, sendto": "EOPNOTSUPP",
  "TCP fast open, sendmsg": "EOPNOTSUPP",
  MPTCP: "EPROTONOSUPPORT",
  "bind by MPTCP": "EPROTONOSUPPORT",
  "listen at a path": "EACCES",
};

/** Root is root before and after, but may not make others faster, and has few files of /etc. */
const ofRoot = (way: Way): Attempts =>
  way.root
    ? {
        "set-id program": "ok",
        "setpriority of another": "EPERM",
        "write /proc/sys": "EROFS",
        "/etc/hostname": "EACCES",
      }
    : {};

/** Nothing can be started from memory, and of /etc there are few files for users, too. */
const ofStrict: Attempts = { "memfd without a seal": "EACCES", "/etc/hostname": "EACCES" };

const rules = ({ work, programs }: Prison, more: string) =>
  `fs:${work}:rw,fs:${programs}:ro${more}`;

async function inside(way: Way, more: string, env: Record<string, string> = {}) {
  const place = prison(way);
  const victim = await victimOf(way, place);
  try {
    const command = [runnerOf(way), `--sandbox=${rules(place, more)}`];
    return await tryEscapes(way, place, victim, command, { env });
  } finally {
    await victim.end();
  }
}

describe.each(fencedWays)("out of a sandbox, $title,", (way) => {
  const test = skipUnless(...fencedNeeds(way));

  test("there is no way but those that are known", async () => {
    expect(await inside(way, "")).toEqual({ ...closed, ...ofRoot(way) });
  });

  test("ports do not open what Landlock does not see", async () => {
    const expected = { ...closed, ...withPort, ...ofRoot(way) };
    expect(await inside(way, ",net:connect:1")).toEqual(expected);
    const listens = {
      ...expected,
      bind: "ok",
      "listen without bind": "ok",
      "listen at a path": "ok",
    };
    expect(await inside(way, ",net:connect:1,net:listen:0")).toEqual(listens);
  });

  test("strict closes memory as a place for programs, and most of /etc", async () => {
    const strict = await inside(way, "", { FUSELAGE_SANDBOX: "strict" });
    expect(strict).toEqual({ ...closed, ...ofRoot(way), ...ofStrict });
    const host = await inside(way, ",exec:host", { FUSELAGE_SANDBOX: "strict" });
    expect(host["memfd without a seal"]).toBe("ok");
  });
});

describe.each(fencedWays)("an author's variables, $title,", (way) => {
  const test = skipUnless(...fencedNeeds(way), "mksquashfs");

  test("do not say where the user's things are, nor which descriptors are its", async () => {
    const image = await imageOf({ run: '#!/bin/sh\nexec "$@"\n' });
    const home = homeOf(way);
    const config = temporaryDirectory();
    for (const name of ["secret", "runtime/secret"]) {
      mkdirSync(path.dirname(path.join(home, name)), { recursive: true });
      writeFileSync(path.join(home, name), "nobody's business\n", { mode: 0o644 });
    }
    writeFileSync(path.join(config, "user-dirs.dirs"), `XDG_DOWNLOAD_DIR="${home}"\n`);
    const attempts: [rules: string[], env: string[], what: string][] = [
      [["fs cwd rw"], ["HOME=/nonexistent"], `cat ${home}/secret`],
      [["fs home ro"], [`HOME=${home}/..`], `cat ${config}/user-dirs.dirs`],
      [["fs downloads ro"], [`XDG_CONFIG_HOME=${config}`], `cat ${home}/secret`],
      [["ipc wayland"], [`WAYLAND_DISPLAY=../..${home}`], `cat ${home}/secret`],
      [["ipc wayland"], [`WAYLAND_DISPLAY=${home}/secret`], `cat ${home}/secret`],
      [["ipc x11"], [`XAUTHORITY=${home}/secret`], `cat ${home}/secret`],
      [["pid"], ["LISTEN_PID=1", "LISTEN_FDS=9"], "cat <&9"],
    ];
    for (const [rules, env, what] of attempts) {
      const file = await bundleOf(image, { env, sandbox: [...rules, "exec host"] });
      const command = ["sh", "-c", 'exec "$@" 9<secret', "sh", file, "sh", "-c", what];
      const { status, stdout } = await startAs(way, command, home, {
        cwd: home,
        env: { XDG_RUNTIME_DIR: path.join(home, "runtime") },
      });
      expect({ env, stdout }).toEqual({ env, stdout: "" });
      expect(status).not.toBe(0);
    }
  });
});

describe("without a sandbox", () => {
  const test = skipUnless(...fencedNeeds(asOrdinary));

  test("nearly all of it works, so that the others show something", async () => {
    const place = prison(asOrdinary);
    const victim = await victimOf(asOrdinary, place);
    const free = await tryEscapes(asOrdinary, place, victim, []);
    await victim.end();
    const refused = Object.entries(free).filter(([, result]) => result !== "ok");
    const rights = ["bind mount", "unmount", "open_tree", "chroot", "make a device"];
    const machine = [
      "mode of /etc/hostname",
      "/etc/shadow",
      "packet socket",
      "netlink: audit",
      "write /proc/sys",
      "open_by_handle_at",
    ];
    const settings = ["vsock", "TIOCSTI", "TIOCSTI with high bits", "bpf", "perf_event_open"];
    const more = ["userfaultfd", "io_uring", "set-id program", "TCP fast open, sendto"];
    // Of TIPC there are pairs where the kernel has it.
    const pairs = ["TCP", "packet", "TIPC"].map((name) => `pair of ${name} sockets`);
    const known = [...rights, ...machine, ...settings, ...more, ...pairs];
    expect(refused.map(([name]) => name).filter((name) => !known.includes(name))).toEqual([]);
  });
});
