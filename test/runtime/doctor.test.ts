/** --bundle-doctor tries every strategy, and says why one is refused and what to do. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect } from "vitest";
import { printed } from "../support/bundle-of.ts";
import { leftovers, leftSince, nothing } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { asUser, ordinaryUser, root, run } from "../support/process.ts";
import { aloneIn } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

interface Finding {
  strategy: string;
  works: boolean;
  milliseconds: number;
  reason?: string;
  advice?: string;
}

let file: string;
beforeAll(async () => {
  file = await pack();
});

const working = (findings: Finding[]) =>
  findings.filter(({ works }) => works).map(({ strategy }) => strategy);

skipUnless(
  "root",
  "loop",
  "fuse",
  "fusermount",
)("as root everything works", async () => {
  const home = temporaryDirectory();
  const watched = { files: [file], homes: [home], own: [file, home] };
  const before = leftovers(watched);
  const out = printed(await run(file, ["--bundle-doctor", "--json"], { env: { HOME: home } }));
  const findings: Finding[] = JSON.parse(out);
  expect(working(findings)).toEqual(["loop", "fuse", "fusermount", "extract"]);
  for (const { milliseconds } of findings) expect(milliseconds).toBeGreaterThan(0);
  expect(await leftSince(before, watched)).toEqual(nothing);
});

skipUnless("userns", "fuse")("as a user a kernel mount needs what the user has not", async () => {
  const { status, stdout } = await asUser(file, ["--bundle-doctor"], userDirectory());
  expect(status).toBe(0);
  expect(stdout).toMatch(/^loop +refused: needs CAP_SYS_ADMIN .*\n +to do: run as root/m);
  expect(stdout).toMatch(/^fuse +works \([0-9.]+ ms\)$/m);
  expect(stdout).toMatch(/^extract +works/m);
});

skipUnless(
  "root",
  "fuse",
  "gcc",
)("where nothing works, each has its reason", async () => {
  const home = userDirectory();
  const refuse = path.join(temporaryDirectory(), "refuse-calls");
  execFileSync("cc", ["-o", refuse, path.join(root, "test/support/refuse-calls.c")]);
  const { uid, gid } = ordinaryUser();
  const env = { ...aloneIn(home), PATH: temporaryDirectory() };
  const limited = 'ulimit -f 0 && exec "$0" --bundle-doctor --json';
  const args = [`${uid}`, `${gid}`, "/bin/sh", "-c", limited, file];
  const { status, stdout, stderr } = await run(refuse, args, { env });
  expect(status).toBe(125);
  expect(stderr).toContain("[E_MOUNT_REFUSED] no strategy works here");
  const findings: Finding[] = JSON.parse(stdout);
  expect(working(findings)).toEqual([]);
  const of = (name: string) => findings.find(({ strategy }) => strategy === name);
  expect(of("fuse")).toMatchObject({
    reason: expect.stringMatching(/^user namespace cannot be made \(refused by policy/),
    advice: "a seccomp profile of this container that allows unshare and mount",
  });
  expect(of("fusermount")).toMatchObject({ advice: "install fuse3" });
  expect(of("extract")).toMatchObject({
    reason: expect.stringMatching(/File too large \(ulimit -f\)/),
    advice: expect.stringMatching(/^Raise the limit/),
  });
  // A process of its own cleans up, when the attempt has ended.
  await expect.poll(() => readdirSync(path.join(home, ".fuselage/procdirs"))).toEqual([]);
});

skipUnless("root", "userns")("a chroot is named, and what does not refuse a mount", async () => {
  const dir = temporaryDirectory();
  chmodSync(dir, 0o755);
  copyFileSync(file, path.join(dir, "app"));
  chmodSync(path.join(dir, "app"), 0o755);
  for (const name of ["proc", "dev", "root", "home"]) mkdirSync(path.join(dir, name));
  const { uid, gid } = ordinaryUser();
  chownSync(path.join(dir, "home"), uid, gid);
  const ask = async (home: string, enter: string) => {
    const places = `mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev"`;
    const script = `${places} && cd / && exec ${enter} /app --bundle-doctor --json`;
    const env = { HOME: home };
    const { stdout } = await run("unshare", ["-m", "sh", "-c", script, "sh", dir], { env });
    return JSON.parse(stdout) as Finding[];
  };
  const chroot = "this is a chroot: enter it by pivot_root, as bwrap and systemd-nspawn do";
  const of = (findings: Finding[], name: string) => findings.find((one) => one.strategy === name);
  const asRoot = await ask("/root", 'chroot "$1"');
  for (const name of ["loop", "fuse"]) expect(of(asRoot, name)).toMatchObject({ advice: chroot });
  expect(working(asRoot)).toContain("extract");
  const asOther = await ask("/home", `chroot --userspec=${uid}:${gid} "$1"`);
  expect(of(asOther, "fuse")).toMatchObject({
    reason: expect.stringMatching(/^user namespace cannot be made \(refused by policy: a chroot, /),
    advice: chroot,
  });
  // The same folder entered as it is advised: nothing is refused for it.
  const pivot = `mount --rbind "$1" "$1" && cd "$1" && mkdir -p old && pivot_root . old && cd / && exec`;
  const places = `mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev"`;
  const script = `${places} && ${pivot} /app --bundle-doctor --json`;
  const entered = await run("unshare", ["-m", "sh", "-c", script, "sh", dir], {
    env: { HOME: "/root" },
  });
  expect(entered.stdout).not.toContain("chroot");
  expect(working(JSON.parse(entered.stdout))).toContain("extract");
});

skipUnless("root", "userns")("a device that is missing or closed is named", async () => {
  const home = userDirectory();
  const ask = async (change: string) => {
    const drop = 'exec setpriv --reuid 1000 --regid 1000 --clear-groups "$0" --bundle-doctor';
    const args = ["-m", "sh", "-c", `${change} && ${drop}`, file];
    return (await run("unshare", args, { env: { HOME: home } })).stdout;
  };
  const closed =
    'd=$(mktemp -d) && mount -t tmpfs none "$d" && mknod -m 600 "$d/f" c 10 229 && mount --bind "$d/f" /dev/fuse';
  expect(await ask(closed)).toMatch(/^fuse +refused: \/dev\/fuse is not readable.*\n.*chmod 0666/m);
  expect(await ask("mount -t tmpfs none /dev")).toMatch(
    /^fuse +refused: \/dev\/fuse does not exist.*\n.*modprobe fuse/m,
  );
});

skipUnless("root", "fusermount")("what keeps fusermount3 from mounting is named", async () => {
  const { uid, gid } = ordinaryUser();
  const ask = async (change: string, more = "", user = uid) => {
    const who = `--reuid ${user} --regid ${gid} --clear-groups ${more}`;
    const script = `${change} && exec setpriv ${who} "$0" --bundle-doctor`;
    const env = { HOME: userDirectory() };
    return (await run("unshare", ["-m", "sh", "-c", script, file], { env })).stdout;
  };
  const advice = async (change: string, more?: string, user?: number) =>
    /^fusermount +refused: .*\n +to do: (.*)$/m.exec(await ask(change, more, user))?.[1];
  expect(await advice("true", "--no-new-privs")).toMatch(/^no_new_privs is set/);
  expect(await advice("mount -t tmpfs none /dev")).toMatch(/^modprobe fuse; in a container/);
  const nosuid =
    'mount -o remount,bind,nosuid "$(findmnt -no TARGET -T "$(command -v fusermount3)")"';
  expect(await advice(nosuid)).toMatch(/^fusermount3 has to be setuid-root/);
  // A container's user, whom nobody has entered anywhere.
  expect(await advice("true", "", 54_321)).toMatch(/^this uid needs an entry in \/etc\/passwd/);
  const limited =
    "mount -t tmpfs none /mnt && echo mount_max=0 > /mnt/conf && touch -a /etc/fuse.conf && mount --bind /mnt/conf /etc/fuse.conf";
  if (existsSync("/etc/fuse.conf"))
    expect(await advice(limited)).toMatch(/^unmount some of them, or raise mount_max/);
});

describe("the words of fusermount3, in any of its versions, tell what to do:", () => {
  const says = async (words: string) => {
    const helper = path.join(temporaryDirectory(), "fusermount3");
    writeFileSync(helper, `#!/bin/sh\necho "fusermount3: ${words}" >&2\nexit 1\n`, { mode: 0o755 });
    const env = { FUSERMOUNT_PROG: helper, HOME: userDirectory() };
    const { stdout } = await asUser(file, ["--bundle-doctor", "--json"], env.HOME, { env });
    return (JSON.parse(stdout) as Finding[]).find(({ strategy }) => strategy === "fusermount");
  };
  for (const [words, cause] of [
    ["could not determine username", "FUSERMOUNT_USER"],
    ["failed to open /etc/mtab: No such file or directory", "FUSERMOUNT_MTAB"],
    [
      "too many FUSE filesystems mounted; mount_max=N can be set in /etc/fuse.conf",
      "FUSERMOUNT_LIMIT",
    ],
    ["mount failed: Operation not permitted", "FUSERMOUNT_SETID"],
    ["mounting over filesystem type 0x01021997 is forbidden", "FUSERMOUNT_REFUSED"],
  ]) {
    skipUnless("fuse")(`${words}`, async () => {
      expect(await says(words ?? "")).toMatchObject({ works: false, cause });
    });
  }
});

describe("the kernel's squashfs", () => {
  /** What the doctor says of `loop` when squashfs mounts fail with `errno`. */
  const ask = async (errno: number, change = "true") => {
    const refuse = path.join(temporaryDirectory(), "refuse-squashfs");
    execFileSync("cc", ["-o", refuse, path.join(root, "test/support/refuse-squashfs.c")]);
    const script = `${change} && exec "$0" "$@"`;
    const args = ["-m", "sh", "-c", script, refuse, `${errno}`, file, "--bundle-doctor", "--json"];
    const { stdout } = await run("unshare", args, { env: { HOME: temporaryDirectory() } });
    return (JSON.parse(stdout) as Finding[]).find(({ strategy }) => strategy === "loop");
  };
  const check = skipUnless("root", "loop", "gcc");
  const inProc = existsSync("/proc/config.gz");
  /** Makes the text the configuration of the kernel, in one of the two places where it can be. */
  const config = (text: string, proc: boolean) => {
    const made = path.join(temporaryDirectory(), "config");
    writeFileSync(made, proc ? gzipSync(text) : text);
    if (proc) return `mount --bind ${made} /proc/config.gz`;
    const hide = inProc ? "mount --bind /dev/null /proc/config.gz" : "true";
    return `${hide} && mount -t tmpfs none /boot && cp ${made} /boot/config-$(uname -r)`;
  };
  const others = "CONFIG_SQUASHFS=y\n# CONFIG_SQUASHFS_ZSTD is not set\nCONFIG_X=y\n".repeat(3000);

  for (const proc of inProc ? [true, false] : [false]) {
    const where = proc ? "/proc/config.gz" : "/boot";
    check(`without the decompressor is named by ${where}`, async () => {
      expect(await ask(22, config(others, proc))).toMatchObject({
        works: false,
        reason: expect.stringMatching(/squashfs \(zstd\) cannot be mounted.*Invalid argument/),
        advice: expect.stringMatching(
          /^a kernel without CONFIG_SQUASHFS_ZSTD: .*--compression gzip/,
        ),
      });
    });

    check(`with it by ${where}, it is something else`, async () => {
      const found = await ask(22, config(`${others}CONFIG_SQUASHFS_ZSTD=y\n`, proc));
      expect(found?.advice).toMatch(/^see the kernel's log/);
    });
  }

  check("of which nothing is known perhaps lacks it", async () => {
    const found = await ask(22, config("", false));
    expect(found?.advice).toMatch(/^perhaps a kernel without CONFIG_SQUASHFS_ZSTD/);
  });

  check("that is not there has to be loaded", async () => {
    const made = path.join(temporaryDirectory(), "filesystems");
    writeFileSync(made, "nodev\tproc\n\text4\n");
    const found = await ask(19, `mount --bind ${made} /proc/filesystems`);
    expect(found?.advice).toMatch(/^modprobe squashfs/);
  });

  check("without loop devices in /dev says where they are", async () => {
    const found = await ask(22, "mount --bind /dev/null /dev/loop-control");
    expect(found?.reason).toMatch(/^\/dev\/loop-control: /);
    expect(found?.advice).toMatch(
      /^in a container: --privileged, or --device for \/dev\/loop-contr/,
    );
  });
});

describe("extraction without a namespace", () => {
  const { uid, gid } = ordinaryUser();
  const ask = async (mount: string, name = "home") => {
    const home = path.join(userDirectory(), name);
    mkdirSync(home);
    const refuse = path.join(temporaryDirectory(), "refuse-calls");
    execFileSync("cc", ["-o", refuse, path.join(root, "test/support/refuse-calls.c")]);
    const script = `mount -t tmpfs -o mode=700,uid=${uid},gid=${gid},${mount} none "$0" && exec "$@"`;
    const args = ["-m", "sh", "-c", script, home, refuse, `${uid}`, `${gid}`, file];
    const env = { FUSELAGE_HOME: home };
    return (await run("unshare", [...args, "--bundle-doctor"], { env })).stdout;
  };
  const check = skipUnless("root", "gcc");

  check("works, or noexec is named", async () => {
    expect(await ask("size=9m")).toMatch(/^extract +works/m);
    expect(await ask("noexec")).toMatch(
      /^extract +refused: .*is mounted noexec.*\n +to do: set FUSELAGE_HOME .*not mounted noexec/m,
    );
  });

  check("words in a path are no cause", async () => {
    const said = await ask("size=4k,nr_inodes=9", "noexec namespace, not installed");
    expect(said).toMatch(/^extract +refused: .*namespace.*\n +to do: make room/m);
  });

  check("a full disk is named", async () => {
    expect(await ask("size=4k,nr_inodes=9")).toMatch(/^extract +refused: .*\n +to do: make room/m);
  });
});

skipUnless("userns")("what keeps every strategy from starting has its own advice", async () => {
  const home = path.join(userDirectory(), "file");
  writeFileSync(home, "");
  const env = { FUSELAGE_HOME: home };
  const { status, stdout } = await asUser(file, ["--bundle-doctor"], userDirectory(), { env });
  expect(status).toBe(125);
  for (const strategy of ["fuse", "fusermount", "extract"]) {
    const says = new RegExp(
      `^${strategy} +refused: .*\\n +to do: Set FUSELAGE_HOME to a folder`,
      "m",
    );
    expect(stdout).toMatch(says);
  }
});

skipUnless("userns")("an argument that it does not know is refused", async () => {
  const { status, stderr } = await asUser(file, ["--bundle-doctor", "x"], userDirectory());
  expect(status).toBe(125);
  expect(stderr).toContain("[E_OPTION_UNKNOWN]");
});
