/**
 * Who may give a mount to a start, or take one from a holder: a process of the same user that may
 * write to the same home, in the same namespaces, as the kernel says. Everybody else learns and gets
 * nothing, can hold nobody up and cannot make a holder work.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, beforeEach, describe, expect } from "vitest";
import {
  askHolder,
  end,
  gone,
  holderOf,
  isShared,
  joining,
  listening,
  listeningScript,
  lockOf,
  type Peer,
  peerScript,
  processesOf,
  rendezvousOf,
  settled,
  stand,
  warm,
} from "../support/holders.ts";
import { leftovers } from "../support/leftovers.ts";
import { type Need, skipUnless } from "../support/needs.ts";
import { pack, start, userStrategy, type Way, ways } from "../support/packed.ts";
import { type Outcome, ordinaryUser, type RunOptions, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const app = '#!/bin/sh\n[ $# = 0 ] && exec cat "$FUSELAGE_BUNDLE_DIR/data/file"\nexec "$@"\n';

let file: string;
beforeAll(async () => {
  file = await pack({ run: app, "data/file": "packed\n" });
  await settled();
});

const peers: { end: () => Promise<void> }[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const peer of peers.splice(0)) await peer.end();
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await end(file);
});

/** One that is ended with its test. */
async function standing(peer: Promise<Peer>): Promise<Peer> {
  const here = await peer;
  peers.push(here);
  return here;
}

const someone = 1001;
const shareable = ways.filter(({ strategy }) => strategy !== "extract");

describe.each(shareable)("$title", (way: Way) => {
  const check = (...needs: Need[]) => skipUnless("root", "python3", ...way.needs, ...needs);
  const uid = way.root ? 0 : ordinaryUser().uid;
  const onHost = way.strategy === "fusermount";
  const all = way.root || onHost ? 1 : 2; // what a holder gives
  let home: string;
  beforeEach(() => {
    home = way.root ? temporaryDirectory() : userDirectory();
  });
  const begin = (args: readonly string[] = [], options: RunOptions = {}) =>
    start(way, file, args, home, { ...options, env: { ...warm(), ...options.env } });

  /** A start whose holder has ended, for the name. */
  const nameOf = async (options: RunOptions = {}) => {
    expect(isShared(await begin([], options))).toBe(false);
    const name = await rendezvousOf(file);
    await end(file);
    return name;
  };

  const mountedBySelf = (outcome: Outcome, strategy: string = way.strategy) => {
    expect(outcome).toMatchObject({
      status: 0,
      stdout: "packed\n",
      stderr: expect.stringContaining(`mounted by ${strategy} in`),
    });
  };

  describe("who asks", () => {
    const asked = async (who: number, how?: string, file_?: string) => {
      await begin();
      const name = await rendezvousOf(file);
      const lock = how === undefined ? [] : [file_ ?? lockOf(home), how];
      return askHolder(who, name, ...lock);
    };

    check()("with the lock of its own socket gets the mount", async () => {
      expect(await asked(uid, "right")).toBe(all);
      // What else it says is not listened to, and ends nothing but its own socket.
      await asked(uid, "garbage");
      expect(isShared(await joining(begin))).toBe(true);
    });

    check()("as another user, or as the same without a lock, gets nothing", async () => {
      expect(await asked(someone)).toBe(0);
      expect(await asked(uid)).toBe(0);
      expect(isShared(await joining(begin))).toBe(true);
    });

    check()("with a lock that is not what it should be gets nothing", async () => {
      for (const how of [
        "read-only",
        "read lock",
        "of two bytes",
        "of the open file",
        "of the other side",
        "of another name",
        "of another process",
        "unnamed",
        "longer name",
      ]) {
        expect({ how, given: await asked(uid, how) }).toEqual({ how, given: 0 });
      }
      expect(isShared(await joining(begin))).toBe(true);
    });

    check()("with the lock of another file, in another home, gets nothing", async () => {
      const other = path.join(way.root ? temporaryDirectory() : userDirectory(), "share.lock");
      writeFileSync(other, "");
      chmodSync(other, 0o666);
      expect(await asked(uid, "right", other)).toBe(0);
    });

    check()(
      "with the number of one that has ended gets what is for that socket alone",
      async () => {
        await begin();
        const name = await rendezvousOf(file);
        const pid = `${await holderOf(file)}`;
        expect(await askHolder(uid, name, lockOf(home), "reused", pid)).toBe(0);
        expect(await askHolder(uid, name, lockOf(home), "reused for this socket", pid)).toBe(all);
      },
    );
  });

  describe("whoever stands at the meeting place", () => {
    check()("is told nothing, and not believed", async () => {
      const name = await nameOf();
      for (const [who, answer] of [
        [someone, "ear"],
        [someone, "F files"],
        [uid, "ear"],
        [uid, "nothing"],
        [uid, "garbage"],
        [uid, "F files"],
        [uid, "M files"],
        ...(way.root ? [] : [[uid, "F mount and users"]]),
      ] as [number, string][]) {
        const peer = await stand(who, name, answer);
        // One that waited to be answered would always take a second; one that does not may, on a slow machine.
        for (let took = Infinity; took >= 1000; ) {
          const began = performance.now();
          mountedBySelf(await begin());
          took = performance.now() - began;
          if (answer !== "nothing") expect(await peer.heard()).toBe("heard 0 0");
        }
        await peer.end();
      }
    });

    check()("is told nothing by a start that believes it", async () => {
      const peer = await standing(stand(uid, await nameOf(), "ear", lockOf(home)));
      mountedBySelf(await begin());
      expect(await peer.heard()).toBe("heard 0 0");
    });

    check()("and is believed, but gives what a holder would not: the start goes on", async () => {
      const wrong = [
        "nothing",
        "silence",
        "garbage",
        "empty",
        "F alone",
        "F files",
        "F file",
        "F folder",
        "L folder",
        "Q folder",
      ];
      // Descriptors of a kind that a holder would give, which only a user namespace has.
      const mounts = [
        "F file and users",
        "F folder and users",
        "F mount",
        "L mount and users",
        "F mount and file",
        "F mount and mounts",
        "F mount and users of the host",
        "F users and mount",
        "F mount and users and more",
        "F writable mount and users",
        "F renamed mount and users",
        "F attached mount and users",
      ];
      // On the host it is a place that the host has to have too.
      const hosts = ["M alone", "M files", "M file", "M folder", "M mount", "M mount and users"];
      const own = onHost ? hosts : mounts;
      const forced = way.root ? wrong : [...wrong, ...own];
      const chosen = (strategy: string) => {
        if (strategy !== "auto") return strategy;
        return way.root ? "loop" : userStrategy();
      };
      for (const [strategy, answers] of [
        [way.strategy, forced],
        ["auto", ["nothing", "F folder", forced.at(-1) as string]],
      ] as [string, string[]][]) {
        const options = { env: { FUSELAGE_MOUNT: strategy } };
        const name = await nameOf(options);
        for (const answer of answers) {
          const peer = await stand(uid, name, answer, lockOf(home));
          const outcome = await begin([], options);
          expect({ answer, ...outcome }).toMatchObject({ answer, status: 0, stdout: "packed\n" });
          expect(outcome.stderr).toContain(`mounted by ${chosen(strategy)} `);
          await peer.end();
          await end(file); // and with it the server, whatever became of the user namespace
        }
      }
    });
  });

  describe("elsewhere", () => {
    /** Runs the bundle once by itself, then by a command. */
    const startsBy = async (command: string, ...args: string[]) => {
      // In a namespace of somebody's fusermount3 has no rights: the start makes its own.
      const env = { HOME: home, FUSELAGE_MOUNT: onHost ? "auto" : way.strategy, ...warm() };
      const who = way.root ? {} : ordinaryUser();
      const before = await begin();
      const there = await joining(() => run(command, [...args, file], { env, ...who }));
      const after = await joining(begin);
      expect(there).toMatchObject({ stdout: "packed\n" });
      expect({ args, shared: [before, after].map(isShared) }).toEqual({
        args,
        shared: [false, true],
      });
      return isShared(there);
    };

    check()("means in another namespace: each one counts", async () => {
      expect(await startsBy("env")).toBe(true);
      await end(file);
      for (const of of ["--mount", "--net", "--pid"]) {
        // A user namespace is needed to make the others; the test of root has them one by one.
        const flags = way.root ? [of] : ["--user", "--map-current-user", of];
        expect({ of, shared: await startsBy("unshare", ...flags, "--fork") }).toEqual({
          of,
          shared: false,
        });
        await end(file);
      }
      if (!way.root) {
        expect(await startsBy("unshare", "--user", "--map-current-user")).toBe(false);
      }
    });

    if (!way.root) {
      check("bwrap")("means in a sandbox that may write to the home, too", async () => {
        expect(await startsBy("bwrap", "--dev-bind", "/", "/")).toBe(false);
      });
    }
  });

  describe("the file of the locks", () => {
    check()("is private, empty, and of the user", async () => {
      await begin();
      const { mode, uid: owner, size, nlink } = lstatSync(lockOf(home));
      expect({ mode, owner, size, nlink }).toEqual({
        mode: 0o100600,
        owner: uid,
        size: 0,
        nlink: 1,
      });
    });

    check()("is not used, nor waited for, when it is anything else", async () => {
      await begin();
      await end(file);
      const lock = lockOf(home);
      const elsewhere = path.join(home, "elsewhere");
      renameSync(lock, elsewhere);
      const instead: Record<string, () => unknown> = {
        "a link": () => symlinkSync(elsewhere, lock),
        "a folder": () => mkdirSync(lock),
        "a pipe": () => run("mkfifo", [lock]),
        "a socket": () =>
          run("python3", ["-c", `import socket; socket.socket(1).bind(${JSON.stringify(lock)})`]),
        "another user's": async () => {
          copyFileSync(elsewhere, lock);
          await run("chown", [`${someone}`, lock]);
        },
        "open to others": async () => {
          copyFileSync(elsewhere, lock);
          await run("chown", [`${uid}`, lock]);
          chmodSync(lock, 0o660);
        },
      };
      for (const [what, make] of Object.entries(instead)) {
        await make();
        for (let i = 0; i < 2; i++) mountedBySelf(await begin());
        expect({ what, holders: processesOf(file, "holder") }).toEqual({ what, holders: [] });
        rmSync(lock, { recursive: true });
      }
      expect(readFileSync(elsewhere, "utf8")).toBe("");
      expect(isShared(await begin())).toBe(false);
      expect(isShared(await joining(begin))).toBe(true);
    });

    check()(
      "with a lease on it, which any reader of the user's may have, holds nobody up",
      async () => {
        await begin();
        await end(file);
        const lease = `import fcntl, os, signal, time
os.setresgid(${uid}, ${uid}, ${uid}); os.setresuid(${uid}, ${uid}, ${uid})
fcntl.fcntl(os.open(${JSON.stringify(lockOf(home))}, os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK)
signal.signal(signal.SIGIO, signal.SIG_IGN)
print("listening", flush=True); time.sleep(600)`;
        const peer = await standing(listeningScript(lease));
        // The kernel breaks a lease after 45 seconds.
        mountedBySelf(await begin([], { timeout: 30_000 }));
        await peer.end();
      },
    );
  });

  describe("a holder", () => {
    /** Clock ticks of processor time. */
    const ticks = (pid: number) => {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      return Number(fields[11]) + Number(fields[12]);
    };
    const busy = async (pid: number, milliseconds: number) => {
      const before = ticks(pid);
      await sleep(milliseconds);
      return (ticks(pid) - before) / (milliseconds / 10);
    };
    /** Connects to NAME as UID this often at once, then `then`. */
    const crowd = (who: number, name: string, count: number, then = "time.sleep(600)") => {
      const script = `import os, socket, sys, time
os.setresgid(${who}, ${who}, ${who}); os.setresuid(${who}, ${who}, ${who})
kept = []
def connect():
    s = socket.socket(1, 5); s.setblocking(False)
    try: s.connect("\\0${name}")
    except OSError: return
    return s
for i in range(${count}): kept.append(connect())
print("listening", flush=True)
${then}`;
      return standing(listeningScript(script));
    };
    const launch = (script: string, limits = "true"): ChildProcess => {
      const child = spawn("sh", ["-c", `${limits}; exec "$0" "$@"`, file, "sh", "-c", script], {
        env: { PATH: process.env["PATH"], HOME: home, FUSELAGE_MOUNT: way.strategy, ...warm("1") },
        ...(way.root ? {} : ordinaryUser()),
        stdio: ["pipe", "pipe", "ignore"],
      });
      children.push(child);
      return child;
    };

    check()("sends nobody away for others who connect and are silent", async () => {
      await begin();
      const name = await rendezvousOf(file);
      const pid = await holderOf(file);
      await crowd(someone, name, 500);
      await crowd(uid, name, 500);
      await expect.poll(() => busy(pid, 1000)).toBeLessThan(0.05);
      expect(isShared(await joining(begin))).toBe(true);
    });

    check()("with no more descriptors waits for some, and for nobody", async () => {
      await begin();
      const name = await rendezvousOf(file);
      const pid = await holderOf(file);
      const limit = (count: number) =>
        run("prlimit", ["--pid", `${pid}`, `--nofile=${count}:`], { uid, gid: uid });
      expect(await limit(3)).toMatchObject({ status: 0 });
      const crowded = await crowd(someone, name, 100);
      await expect.poll(() => busy(pid, 1000)).toBeLessThan(0.05);
      mountedBySelf(await begin()); // a second later
      expect(await limit(100)).toMatchObject({ status: 0 });
      await crowded.end();
      expect(isShared(await joining(begin))).toBe(true);
    });

    check()("of a user with few descriptors has room for starts, whoever runs", async () => {
      const child = launch("echo up; read line", "ulimit -n 16");
      await once(child.stdout as NonNullable<typeof child.stdout>, "data");
      const pid = await holderOf(file);
      for (let i = 0; i < 30; i++) {
        const more = launch("echo up; read line");
        await once(more.stdout as NonNullable<typeof more.stdout>, "data");
      }
      await expect.poll(() => busy(pid, 500)).toBeLessThan(0.05);
      expect(isShared(await joining(() => begin([], { env: { FUSELAGE_LINGER: "1" } })))).toBe(
        true,
      );
      expect(processesOf(file, "holder")).toEqual([pid]);
      for (const one of children.splice(0)) one.kill("SIGKILL");
      await gone(file);
    });

    check()("ends in time, whoever keeps it busy", async () => {
      await begin([], { env: { FUSELAGE_LINGER: "4" } });
      const name = await rendezvousOf(file);
      await crowd(someone, name, 10, "while True:\n    kept.append(connect()); kept = kept[-50:]");
      await gone(file);
    });

    check()("does not wait for a start that was stopped", async () => {
      await begin();
      const name = await rendezvousOf(file);
      const stopped = await crowd(uid, name, 5, "os.kill(os.getpid(), 19)");
      expect(isShared(await joining(begin))).toBe(true);
      expect(isShared(await joining(begin))).toBe(true);
      stopped.child.kill("SIGCONT");
    });

    check()("that is stopped holds a start up for a second, not longer", async () => {
      await begin();
      const pid = await holderOf(file);
      process.kill(pid, "SIGSTOP");
      mountedBySelf(await begin([], { timeout: 30_000 }));
      process.kill(pid, "SIGCONT");
      expect(isShared(await joining(begin))).toBe(true);
    });
  });
});

describe("a sandbox of the same user that sees the home read-only (bubblewrap)", () => {
  const check = skipUnless("root", "fuse", "userns", "python3", "bwrap");
  const user = { strategy: "fuse", root: false } as const;
  const sandbox = ["--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--tmpfs", "/tmp"];
  const kinds: Record<string, string[]> = {
    "with the processes of the host": ["--proc", "/proc"],
    "with its own": ["--proc", "/proc", "--unshare-pid"],
    "without any": [],
  };
  let home: string;
  let name: string;
  beforeEach(async () => {
    home = userDirectory();
    await start(user, file, [], home, { env: warm() });
    name = await rendezvousOf(file);
  });
  /** The peer inside, where /tmp is another one. */
  const inside = (kind: string, ...args: string[]) => {
    const script = path.join(userDirectory(), "peer.py");
    copyFileSync(peerScript, script);
    return [
      ...["--reuid=1000", "--regid=1000", "--clear-groups", "bwrap", ...sandbox],
      ...(kinds[kind] ?? []),
      ...["--ro-bind", script, "/tmp/peer.py", "--ro-bind", home, home, "--die-with-parent"],
      ...["/usr/bin/env", "PATH=/usr/bin:/bin", "python3", "/tmp/peer.py", "-", ...args],
    ];
  };

  for (const kind of Object.keys(kinds)) {
    check(`${kind}: is given nothing`, async () => {
      for (const how of ["right", "read-only", "unnamed", "read lock"]) {
        const { stdout, stderr } = await run(
          "setpriv",
          inside(kind, "ask", name, lockOf(home), how),
        );
        expect({ how, stdout, stderr }).toMatchObject({ how, stdout: "0\n" });
        if (how === "right") expect(stderr).toContain("Read-only file system");
      }
    });

    check(`${kind}: can plant nothing`, async () => {
      await end(file);
      // A namespace of its own cannot be made there without files of its own in /proc.
      const more = kind === "without any" ? [] : ["F mount and users"];
      for (const answer of ["ear", "F files", ...more]) {
        const peer = await listening("setpriv", inside(kind, "listen", name, answer));
        peers.push(peer);
        const outcome = await start(user, file, [], home, { env: warm() });
        expect(isShared(outcome)).toBe(false);
        expect(outcome.stdout).toBe("packed\n");
        expect(await peer.heard()).toBe("heard 0 0");
        await peer.end();
        await end(file);
      }
    });
  }

  check("with a home of its own in place of the user's: can prove nothing", async () => {
    const own = ["--tmpfs", home, "--dir", `${home}/.fuselage`];
    const args = inside("with its own", "ask", name, lockOf(home), "right");
    const at = args.indexOf("--die-with-parent");
    args.splice(at, 0, ...own, "--file", "0", lockOf(home));
    const { stdout, stderr } = await run("setpriv", args);
    expect({ stdout, stderr }).toEqual({ stdout: "0\n", stderr: "" });
  });
});

describe("root of a container: own files, no capabilities, the host's network", () => {
  const check = skipUnless("root", "loop", "python3");
  const host = { strategy: "loop", root: true } as const;
  let home: string;
  let name: string;
  let top: string;
  beforeEach(async () => {
    home = temporaryDirectory();
    top = temporaryDirectory();
    expect(isShared(await start(host, file, [], home, { env: warm() }))).toBe(false);
    name = await rendezvousOf(file);
    mkdirSync(path.join(top, ".fuselage"));
    writeFileSync(path.join(top, ".fuselage/share.lock"), "", { mode: 0o600 });
    copyFileSync(peerScript, path.join(top, "peer.py"));
  });
  /** Only what Python takes is of the host; the rest of it cannot be seen. */
  const inside = (...args: string[]) => {
    const script = `set -e
      mount -t tmpfs none "$0/mnt"; cd "$0/mnt"; mkdir proc usr mnt own
      mount --bind /usr usr; for d in bin lib lib64; do [ -e /$d ] && ln -s usr/$d $d; done
      mount -t proc none proc; cp -a "$0/peer.py" "$0/.fuselage" own/
      export HOME=/own PATH=/usr/sbin:/usr/bin:/bin
      exec chroot . setpriv --bounding-set=-all --inh-caps=-all python3 /own/peer.py - "$@"`;
    mkdirSync(path.join(top, "mnt"), { recursive: true });
    return ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, top, ...args];
  };

  check("is given nothing", async () => {
    for (const more of [
      [],
      ["/own/.fuselage/share.lock", "right"],
      ["/own/.fuselage/share.lock", "unnamed"],
    ]) {
      const { stdout, stderr } = await run("unshare", inside("ask", name, ...more));
      expect({ more, stdout, stderr }).toEqual({ more, stdout: "0\n", stderr: "" });
    }
    expect(isShared(await joining(() => start(host, file, [], home, { env: warm() })))).toBe(true);
  });

  check("is told nothing, and can plant nothing", async () => {
    await end(file);
    for (const [answer, ...lock] of [
      ["ear", "/own/.fuselage/share.lock"],
      ["F files", "/own/.fuselage/share.lock"],
      ["L folder"],
    ] as [string, ...string[]][]) {
      const peer = await listening("unshare", inside("listen", name, answer, ...lock));
      peers.push(peer);
      expect(readFileSync("/proc/net/unix", "utf8")).toContain(`@${name}`); // the host's network
      const outcome = await start(host, file, [], home, { env: warm() });
      expect(isShared(outcome)).toBe(false);
      expect(outcome.stdout).toBe("packed\n");
      expect(await peer.heard()).toBe("heard 0 0");
      await peer.end();
      await end(file);
    }
    expect(existsSync(path.join(home, ".fuselage/share.lock"))).toBe(true);
    expect(leftovers({ files: [file] }).mounts.filter((line) => line.includes(top))).toEqual([]);
  });
});
