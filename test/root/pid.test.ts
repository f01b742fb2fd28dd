/** --pid: a process namespace of its own, and between it and the caller processes that nobody notices. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect } from "vitest";
import { skipUnless } from "../support/needs.ts";
import { asUser, ordinaryUser, root, run } from "../support/process.ts";
import { homeFor, rootBundle, shell, startRoot } from "../support/root-image.ts";

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

describe("--pid", () => {
  test("is process 2 below an init that collects what ends", async () => {
    const script = `echo $$ $PPID; (sleep 0.1 & exit) ; sleep 0.4; ls /proc | grep -c '^[0-9]'
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
    for (let i = 0; i < 200 && stdout.split("\n").some((pid) => stat(Number(pid))); i++) {
      await sleep(20);
    }
    expect(
      stdout.split("\n").filter((pid) => pid !== "" && /[RSD]/.test(stat(Number(pid)))),
    ).toEqual([]);
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
