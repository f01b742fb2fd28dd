/** A setuid-root runner started by uid 1000 in every bad way: descriptors, limits, argv, signals. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect } from "vitest";
import { leftovers, nothing } from "../support/leftovers.ts";
import { asUser, type Outcome, ordinaryUser, run } from "../support/process.ts";
import {
  ask,
  checkOf,
  imageOf,
  refused,
  runnerOf,
  watch,
  setuidRoot as way,
} from "../support/runner.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const SIGNALS = 300;

const check = checkOf(way);
const { uid, gid } = ordinaryUser();

let image: string;
beforeAll(async () => {
  image = await imageOf();
});

/** Starts by a wrapper, as the user. */
const by = (home: string, wrapper: string[], args: string[]): Promise<Outcome> => {
  const [command = "", ...before] = wrapper;
  const env = { FUSELAGE_MOUNT: undefined, FUSELAGE_HOME: undefined };
  return asUser(command, [...before, runnerOf(way), ...args], home, { env });
};

/** Its own failure, in words, before anything was run. */
const isRefusal = ({ status, stdout, stderr }: Outcome) =>
  status !== null &&
  status >= 125 &&
  status <= 127 &&
  stdout === "" &&
  /^fuselage: \[E_/.test(stderr);

describe("closed descriptors 0 to 2", () => {
  const closed = ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- 2>&-", "<&- >&- 2>&-"];
  for (const redirection of closed) {
    check(`${redirection}: none becomes a file, a device or a mount of ours`, async () => {
      const home = userDirectory();
      const wrapper = ["sh", "-c", `exec "$@" ${redirection}`, "sh"];
      const script =
        'fds=$(for f in 0 1 2; do readlink /proc/$$/fd/$f; done); echo "$fds" > "$HOME/fds"; cat "$FUSELAGE_STATIC/a/file" "$FUSELAGE_DYNAMIC/d/file" > "$HOME/out"';
      const archives = ["-s", `a:${image}`, "-d", `d:${image}`, "--dynamic-empty=e"];
      const { status } = await by(home, wrapper, [...archives, "sh", "-c", script]);
      expect(status).toBe(0);
      expect(readFileSync(path.join(home, "out"), "utf8")).toBe("packed\npacked\n");
      const fds = readFileSync(path.join(home, "fds"), "utf8").trim().split("\n");
      expect(fds).toHaveLength(3);
      for (const target of fds) expect(target).toMatch(/^(\/dev\/null|(pipe|socket):\[\d+\])$/);
    });
  }

  check("a failure with closed descriptors overwrites no file", async () => {
    const home = userDirectory();
    const wrapper = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"];
    const before = readFileSync(image);
    const outcome = await by(home, wrapper, ["-s", `a:${image}`, "-s", "b:/etc/shadow", "true"]);
    expect(outcome.status).toBe(125);
    expect(readFileSync(image)).toEqual(before);
  });
});

describe("limits", () => {
  const work = [
    ...["-d", "d:IMAGE", "-s", "a:IMAGE"],
    ...["sh", "-c", 'id -u; read line < "$FUSELAGE_STATIC/a/file"; echo "$line"'],
  ];
  const limits: [string, string[]][] = [
    ...[3, 4, 5, 6, 7, 8, 9, 10, 12, 16].map((n): [string, string[]] => [
      `RLIMIT_NOFILE=${n}`,
      [`--nofile=${n}`],
    ]),
    ["RLIMIT_FSIZE=0", ["--fsize=0"]],
    ["RLIMIT_NPROC=0", ["--nproc=0"]],
    ["RLIMIT_NPROC=1", ["--nproc=1"]],
    ["RLIMIT_CORE=unlimited", ["--core=unlimited"]],
    ["RLIMIT_DATA=64K", ["--data=65536"]],
    ["RLIMIT_STACK=64K", ["--stack=65536"]],
    ["RLIMIT_MEMLOCK=0", ["--memlock=0"]],
    ...[1, 2, 3, 4, 8].map((mb): [string, string[]] => [`RLIMIT_AS=${mb}M`, [`--as=${mb << 20}`]]),
  ];
  for (const [title, options] of limits) {
    check(`${title}: a clean failure or the user's own command`, async () => {
      const home = userDirectory();
      const left = watch(way, home, [image]);
      const args = work.map((arg) => arg.replace("IMAGE", image));
      const outcome = await by(home, ["prlimit", ...options], args);
      const started =
        outcome.stdout.startsWith(`${uid}\n`) || /^(sh|id): |loading shared/m.test(outcome.stderr);
      // Where the limit is too small for any program, the kernel ends it while it is loaded.
      const direct = await asUser("prlimit", [...options, "/bin/sh", "-c", "id -u"], home);
      const hopeless = direct.status !== 0 && outcome.stdout === "";
      expect(started || isRefusal(outcome) || hopeless, JSON.stringify(outcome)).toBe(true);
      expect(outcome.stdout).not.toMatch(/^0$/m);
      expect(await left()).toEqual(nothing);
    });
  }

  for (const mount of ["fuse", "extract"]) {
    check(`RLIMIT_FSIZE=0 with --mount-type=${mount}`, async () => {
      const home = userDirectory();
      const left = watch(way, home, [image]);
      const args = [`--mount-type=${mount}`, "-s", `a:${image}`, "sh", "-c", "id -u"];
      const outcome = await by(home, ["prlimit", "--fsize=0"], args);
      const clean = outcome.stdout === `${uid}\n` || isRefusal(outcome);
      expect(clean, JSON.stringify(outcome)).toBe(true);
      expect(await left()).toEqual(nothing);
    });
  }

  check("no core dump of a process that can be root again, whatever the limit", async () => {
    const home = userDirectory();
    // It sleeps where it opens a pipe that nobody writes to.
    const script = `import os, resource, signal, sys, time
os.mkfifo("pipe")
pid = os.fork()
if pid == 0:
    limit = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
    os.execv(sys.argv[1], ["fuselage", "-s", "p:pipe", "true"])
while "fuselage\\n" not in (text := open(f"/proc/{pid}/status").read()) or "State:\\tS" not in text:
    time.sleep(0.001)
os.kill(pid, signal.SIGSEGV)
status = os.waitpid(pid, 0)[1]
print(os.WTERMSIG(status), os.WCOREDUMP(status), os.listdir("."))`;
    const args = ["--core=unlimited", "/usr/bin/python3", "-c", script, runnerOf(way)];
    const { stdout, stderr } = await asUser("prlimit", args, home, { cwd: home });
    expect(stdout, stderr).toBe("11 False ['pipe']\n");
  });
});

describe("arguments", () => {
  checkOf(way, "gcc")("argc == 0", async () => {
    const dir = userDirectory();
    const source = path.join(dir, "none.c");
    writeFileSync(
      source,
      `#include <unistd.h>
       int main(int c, char **v) { (void)c; char *n[] = {0}; char *e[] = {"A=--static", "HOME=${dir}", 0};
         execve(v[1], n, e); return 99; }`,
    );
    const helper = path.join(dir, "none");
    await run("gcc", ["-o", helper, source]);
    const { status, stdout, stderr } = await asUser(helper, [runnerOf(way)], dir);
    expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
    expect(stderr).toMatch(/\[E_USAGE\]/);
  });

  check("an empty environment", async () => {
    const args = ["-i", runnerOf(way), "-s", `a:${image}`, "/usr/bin/id", "-u"];
    const { status, stdout } = await asUser("env", args, userDirectory());
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${uid}\n` });
  });

  check("huge arguments", async () => {
    const long = "n".repeat(100_000);
    for (const args of [
      [`--static=${long}:${image}`],
      [`--static=${long}`],
      [`--static=a:/${long}`],
      [`--dynamic-empty=${long}`],
      [`--${long}`],
      [`--mount-type=${long}`],
      [`-s`, image, "--run", long],
      [`-s`, image, "--run", "/".repeat(100_000)],
      [`-s`, image, "--run", "../".repeat(30_000)],
    ]) {
      const outcome = await refused(way, [...args, "true"]);
      expect(outcome.stdout).toBe("");
      expect([125, 127]).toContain(outcome.status);
      expect(outcome.stderr.length).toBeLessThan(5000);
    }
  });

  check("many arguments and a large environment", async () => {
    const many = Array.from({ length: 3000 }, (_, i) => ["-s", `n${i}:/no/such`]).flat();
    expect(await refused(way, [...many, "true"])).toMatchObject({
      status: 125,
      code: "E_ARCHIVE_OPEN",
    });
    const env = Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) => [`V${i}`, "x".repeat(500)]),
    );
    expect(await ask(way, ["-s", image, "id", "-u"], undefined, { env })).toBe(`${uid}\n`);
  });

  check("a format string is text", async () => {
    const outcome = await refused(way, ["-s", "%s%n%1000000d:/no/such/%s%n", "true"]);
    expect(outcome).toMatchObject({ status: 125, code: "E_ARCHIVE_OPEN", stdout: "" });
    expect(outcome.stderr).toContain("/no/such/%s%n:");
  });
});

const launch = (home: string, args: string[]): ChildProcess =>
  spawn(runnerOf(way), args, {
    env: { PATH: process.env["PATH"], FUSELAGE_LINGER: "0", HOME: home },
    uid,
    gid,
    stdio: ["ignore", "pipe", "ignore"],
  });

/** Effective uids of the processes that run this file's runner. */
function ownersOf(file: string): string[] {
  return leftovers({ files: [file] })
    .processes.filter((line) => line.includes(file))
    .map((line) => {
      try {
        const text = readFileSync(`/proc/${line.split(" ")[0]}/status`, "utf8");
        return /^Uid:\t(.*)$/m.exec(text)?.[1] ?? "";
      } catch {
        return ""; // It has ended.
      }
    })
    .filter(Boolean);
}

check(`signals at any moment of a start, ${SIGNALS} times: nothing of root's goes on`, async () => {
  const home = userDirectory();
  const left = watch(way, home, [image]);
  const signals = ["SIGKILL", "SIGTERM", "SIGALRM", "SIGHUP", "SIGINT", "SIGSTOP"] as const;
  const seen = new Set<string>();
  // More, where this process came too late for all of some signal.
  for (let i = 0; i < SIGNALS || !seen.has("SIGKILL") || !seen.has("SIGTERM"); i++) {
    const signal = signals[i % signals.length] as (typeof signals)[number];
    const child = launch(home, ["-s", `a:${image}`, "-d", `d:${image}`, "echo", "done"]);
    let out = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      out += chunk;
    });
    const ended = once(child, "close") as Promise<[number | null, string | null]>;
    await sleep(((i * 7) % 40) / 10); // 0 to 3.9 ms
    child.kill(signal);
    if (signal === "SIGSTOP") {
      await sleep(1);
      child.kill("SIGCONT");
    }
    const [status, by_] = await ended;
    seen.add(by_ ?? `${status}`);
    // Ended by this signal, before or behind its work, or it was quicker.
    const clean = [`${signal} `, `${signal} done\n`, "0 done\n"];
    expect(clean).toContain(`${by_ ?? status} ${out}`);
    if (signal === "SIGSTOP") expect({ status, out }).toEqual({ status: 0, out: "done\n" });
  }
  expect(await left()).toEqual(nothing);
  expect(ownersOf(runnerOf(way))).toEqual([]);
});

describe("a start that waits", () => {
  /** Holds the setuid process where it opens its archive: a pipe that nobody writes to. */
  const waiting = async (body: (pid: number, home: string) => Promise<void>) => {
    const home = userDirectory();
    const pipe = path.join(home, "pipe");
    await asUser("mkfifo", [pipe], home);
    const child = launch(home, ["-s", `a:${image}`, "-s", `p:${pipe}`, "echo", "done"]);
    const ended = once(child, "close");
    try {
      const isOpening = () => {
        try {
          return /^openat|^257 |^56 /.test(readFileSync(`/proc/${child.pid}/syscall`, "utf8"));
        } catch {
          return false;
        }
      };
      await expect.poll(isOpening).toBe(true);
      expect(readlinkSync(`/proc/${child.pid}/exe`)).toBe(runnerOf(way));
      await body(child.pid as number, home);
    } finally {
      await asUser("sh", ["-c", `cat "${image}" > "${pipe}"`], home);
      await ended;
    }
    expect(child.exitCode).toBe(0);
  };

  check("its memory, environment, descriptors and root are closed to the user", async () => {
    await waiting(async (pid, home) => {
      const text = readFileSync(`/proc/${pid}/status`, "utf8");
      expect(text).toMatch(new RegExp(`^Uid:\t${uid}\t${uid}\t0\t${uid}$`, "m"));
      for (const command of [
        ["head", "-c", "1", `/proc/${pid}/mem`],
        ["head", "-c", "1", `/proc/${pid}/environ`],
        ["ls", `/proc/${pid}/fd`],
        ["ls", "-L", `/proc/${pid}/root`],
        ["ls", `/proc/${pid}/cwd/`],
        ["cat", `/proc/${pid}/maps`],
      ]) {
        const [name = "", ...args] = command;
        const { status, stdout, stderr } = await asUser(name, args, home);
        expect({ command, stdout }).toEqual({ command, stdout: "" });
        expect(status, command.join(" ")).not.toBe(0);
        expect(stderr).toMatch(/Permission denied|not permitted/);
      }
    });
  });

  check("ptrace cannot attach to it", async () => {
    const attach = `import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
print(libc.ptrace(0x4206, int(sys.argv[1]), 0, 0), ctypes.get_errno())`; // PTRACE_SEIZE
    await waiting(async (pid, home) => {
      const { stdout } = await asUser("/usr/bin/python3", ["-c", attach, `${pid}`], home);
      expect(stdout).toBe("-1 1\n");
    });
    // The same call works on a process that is the user's.
    const own = spawn("sleep", ["600"], { uid, gid });
    const { stdout } = await asUser(
      "/usr/bin/python3",
      ["-c", attach, `${own.pid}`],
      userDirectory(),
    );
    own.kill("SIGKILL");
    expect(stdout).toBe("0 0\n");
  });

  check("it has mounted nothing and raised nothing while it reads what the user made", async () => {
    await waiting(async (pid, home) => {
      expect(readlinkSync(`/proc/${pid}/ns/mnt`)).toBe(readlinkSync("/proc/self/ns/mnt"));
      expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^CapEff:\t0+$/m);
      expect(readdirSync(home)).toEqual(["pipe"]);
    });
  });
});

check("a home on a full file system is a clean failure", async () => {
  const home = temporaryDirectory();
  const script = `mount -t tmpfs -o nr_inodes=2,uid=${uid},gid=${gid} none "$HOME" && touch "$HOME/only" && chown ${uid} "$HOME/only"
    XDG_RUNTIME_DIR=/nonexistent exec setpriv --reuid ${uid} --regid ${gid} --clear-groups "$0" id -u`;
  const { status, stdout, stderr } = await run(
    "unshare",
    ["-m", "sh", "-c", script, runnerOf(way)],
    {
      env: { HOME: home },
    },
  );
  const fell = status === 0 && stdout === `${uid}\n`;
  expect(fell || /\[E_HOME_UNUSABLE\]/.test(stderr), stderr).toBe(true);
});
