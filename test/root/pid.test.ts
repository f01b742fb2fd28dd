/** --pid: a process namespace of its own, and between it and the caller processes that nobody notices. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { skipUnless } from "../support/needs.ts";
import { asUser, ordinaryUser, root, run } from "../support/process.ts";
import { homeFor, rootBundle, shell, startNeeds, startRoot } from "../support/root-image.ts";

const test = skipUnless("userns", "fuse", "busybox", "mksquashfs");
const starter = { title: "", root: false };

let file: string;
beforeAll(async () => {
  file = await rootBundle();
});

const stat = (pid: number) => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /s, "").slice(0, 1);
  } catch {
    return "";
  }
};

/** Begins a process whose parent has ended, and waits until its end was collected. */
const orphan =
  "orphan=$(sleep 0.1 >/dev/null & echo $!); while test -e /proc/$orphan; do sleep 0.05; done";

describe("--pid", () => {
  test("is process 2 below an init that collects what ends", async () => {
    const script = `echo $$ $PPID; ${orphan}; ls /proc | grep -c '^[0-9]'
      cat /proc/[0-9]*/stat | grep -c ') Z' || true`;
    const said = await shell(starter, file, ["--pid"], script, homeFor(starter));
    expect(said.split("\n")).toEqual(["2 1", expect.stringMatching(/^[3-5]$/), "0"]);
  });

  test("ends with a short app, every time", async () => {
    const home = homeFor(starter);
    for (let i = 0; i < 200; i += 10) {
      const all = Array.from({ length: 10 }, (_, at) =>
        startRoot(starter, file, ["--pid"], ["sh", "-c", `exit ${i + at}`], home),
      );
      const ended = await Promise.all(all);
      expect(ended.map(({ status }) => status)).toEqual(ended.map((_, at) => i + at));
    }
  });

  test("passes signals on, and takes the app along when it is killed", async () => {
    const home = homeFor(starter);
    const script = 'trap "echo got; exit 5" USR1; echo ready; while :; do sleep 0.05; done';
    const begin = () =>
      spawn(file, ["--bundle-run", "--pid", "--", "sh", "-c", script], {
        env: { PATH: process.env["PATH"], HOME: home, FUSELAGE_LINGER: "0" },
        ...ordinaryUser(),
        stdio: ["ignore", "pipe", "inherit"],
      });
    const signalled = begin();
    await once(signalled.stdout, "data");
    signalled.kill("SIGUSR1");
    const [[said], [status]] = await Promise.all([
      once(signalled.stdout, "data"),
      once(signalled, "exit"),
    ]);
    expect([`${said}`, status]).toEqual(["got\n", 5]);

    const killed = begin();
    await once(killed.stdout, "data");
    const { stdout } = await run("pgrep", ["-f", "-u", "1000", `^sh -c ${script.slice(0, 12)}`]);
    killed.kill("SIGKILL");
    await once(killed, "exit");
    const pids = stdout.split("\n").filter((pid) => pid !== "");
    await expect.poll(() => pids.filter((pid) => /[RSD]/.test(stat(Number(pid))))).toEqual([]);
  });

  const terminal = skipUnless("userns", "fuse", "busybox", "mksquashfs", "python3");
  terminal("is stopped, continued and interrupted from a terminal, as without it", async () => {
    const home = homeFor(starter);
    const script = 'echo ready; while read -r line; do echo "<$line>"; done';
    const control = readFileSync(path.join(root, "test/support/job-control.py"), "utf8");
    for (const options of [[], ["--pid"]]) {
      const args = ["-c", control, file, "--bundle-run", ...options, "--", "sh", "-c", script];
      const outcome = await asUser("/usr/bin/python3", args, home, { cwd: home });
      expect(outcome).toMatchObject({ stdout: "stopped\nsignal 2\n", stderr: "" });
    }
  });
});

describe("--as-init", () => {
  /** An image whose init does what an inittab says, and refuses to be anything but process 1. */
  const inits = () =>
    rootBundle(
      {
        "etc/inittab":
          "::sysinit:/bin/echo begun\n::wait:/bin/sh /etc/work\n::shutdown:/bin/echo over\n",
        "etc/work": `${orphan}; cat /proc/[0-9]*/stat | grep -c ') Z'\n`,
      },
      { cmd: ["init"] },
    );

  for (const root of [true, false]) {
    const who = { title: root ? "as root" : "as a user", root };
    const check = skipUnless(...startNeeds(who));

    check(`the app is process 1, and its end is the start's, ${who.title}`, async () => {
      const home = homeFor(who);
      const say = (...args: string[]) => startRoot(who, file, ["--as-init", ...args], [], home);
      for (const [script, end] of [
        ["echo $$; exit 7", { stdout: "1\n", status: 7 }],
        ["echo $$; (exit 9) & wait $!; exit $?", { stdout: "1\n", status: 9 }],
        ["echo $PPID; exec true", { stdout: "0\n", status: 0 }],
      ] as const) {
        expect(await startRoot(who, file, ["--as-init"], ["sh", "-c", script], home)).toMatchObject(
          end,
        );
      }
      expect(await say("--entrypoint", "/nowhere")).toMatchObject({ status: 127 });
    });

    check(`an init that wants to be it works, and is told of, ${who.title}`, async () => {
      const home = homeFor(who);
      const image = await inits();
      const refused = await startRoot(who, image, ["--pid"], [], home);
      expect(refused.stderr).toContain("must be run as PID 1");
      const doctor = who.root
        ? await run(image, ["--bundle-doctor"])
        : await asUser(image, ["--bundle-doctor"], home);
      expect(doctor.stdout).toMatch(/^init {8}init wants to be process 1: --bundle-run --as-init/m);
      const child = spawn(image, ["--bundle-run", "--as-init"], {
        env: { PATH: process.env["PATH"], HOME: home, FUSELAGE_LINGER: "0" },
        ...(who.root ? {} : ordinaryUser()),
        stdio: ["ignore", "pipe", "ignore"],
      });
      let said = "";
      child.stdout.on("data", (data) => {
        said += `${data}`;
      });
      const ended = once(child, "exit");
      await expect.poll(() => said).toMatch(/^0$/m);
      // Its own signal to shut down; a container's init ends by ending what it has.
      child.kill("SIGUSR2");
      await expect.poll(() => said).toContain("over");
      child.kill("SIGKILL");
      await ended;
      expect(said).toMatch(/^begun\n0\n(.*\n)*over\n/);
    });

    check(`SIGTERM ends what has a handler for it, ${who.title}`, async () => {
      const home = homeFor(who);
      const begin = (script: string) =>
        spawn(file, ["--bundle-run", "--as-init", "--", "sh", "-c", script], {
          env: { PATH: process.env["PATH"], HOME: home, FUSELAGE_LINGER: "0" },
          ...(who.root ? {} : ordinaryUser()),
          stdio: ["pipe", "pipe", "inherit"],
        });
      const handled = begin('trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done');
      await once(handled.stdout, "data");
      handled.kill("SIGTERM");
      expect(await once(handled, "exit")).toEqual([3, null]);
      // As in every process 1: the kernel keeps from it what would end it.
      const deaf = begin("echo ready; read line; exit 6");
      await once(deaf.stdout, "data");
      deaf.kill("SIGTERM");
      deaf.stdin.end("go on\n");
      expect(await once(deaf, "exit")).toEqual([6, null]);
    });
  }
});

const asRoot = { title: "", root: true };
skipUnless(...startNeeds(asRoot))(
  "a killed start takes along who became another user",
  async () => {
    const home = homeFor(asRoot);
    for (const option of ["--pid", "--as-init", "--contain"]) {
      const seconds = `${90_000 + process.pid}.${option.length}`;
      const child = spawn(
        file,
        ["--bundle-run", option, "-u", "web", "--", "sh", "-c", `echo up; exec sleep ${seconds}`],
        {
          env: { PATH: process.env["PATH"], HOME: home, FUSELAGE_LINGER: "0" },
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      await once(child.stdout, "data");
      child.kill("SIGKILL");
      await once(child, "exit");
      const left = async () => (await run("pgrep", ["-f", `^sleep ${seconds}`])).stdout;
      await expect.poll(left, { message: option }).toBe("");
    }
  },
);
