/** --appimage-mount: a mount that others see, for as long as the process is there. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { appImage, expectNoTraces, smallAppDir } from "../support/appimage.ts";
import { printed } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, isRoot, ordinaryUser, run } from "../support/process.ts";
import { aloneIn } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let file: string;
beforeAll(async () => {
  file = await appImage();
});

const mountsBelow = (dir: string) =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(dir));

describe.each([
  ["as root", false],
  ["as a user", true],
] as const)("%s", (_, user) => {
  const homeOf = () => (user ? userDirectory() : temporaryDirectory());
  const check = skipUnless(...(user ? [] : (["root"] as const)), "fuse", "fusermount");
  const anywhere = skipUnless(...(user ? [] : (["root"] as const)));

  /** Starts it. @returns the process, and the line that it printed */
  async function mount(home: string, env: Record<string, string> = {}) {
    const child = spawn(file, ["--appimage-mount"], {
      env: { ...process.env, ...aloneIn(home), ...env },
      ...(user && isRoot ? ordinaryUser() : {}),
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(child.stdout, "data");
    expect(`${line}`).toMatch(/^\/[^\n]*\n$/);
    return { child, dir: `${line}`.trim() };
  }
  const look = async (dir: string, home: string) => {
    const args = ["-c", 'cd "$1" && ls && cat usr/bin/tool', "sh", dir];
    return printed(user ? await asUser("sh", args, home) : await run("sh", args));
  };
  const seen = `AppRun\ntool.desktop\nusr\n${smallAppDir["usr/bin/tool"]}`;
  const end = async (child: ChildProcess, signal: NodeJS.Signals) => {
    const ended = once(child, "exit");
    child.kill(signal);
    expect((await ended)[1]).toBe(signal);
  };

  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    check(`prints the mount point; ${signal} takes the mount away before it ends`, async () => {
      const home = homeOf();
      const { child, dir } = await mount(home);
      expect(mountsBelow(home)).toHaveLength(1);
      expect(await look(dir, home)).toBe(seen);
      await end(child, signal);
      expect(mountsBelow(home)).toEqual([]);
      expect(readdirSync(path.join(home, ".fuselage/procdirs"))).toEqual([]);
    });
  }

  check("kill -9 leaves nothing", async () => {
    const home = homeOf();
    const { child } = await mount(home);
    await end(child, "SIGKILL");
    await expectNoTraces(home);
    expect(mountsBelow(home)).toEqual([]);
  });

  check("what is in use when it ends goes when its user does", async () => {
    const home = homeOf();
    const { child, dir } = await mount(home);
    const who = user && isRoot ? ordinaryUser() : {};
    const sitting = spawn("sh", ["-c", `cd "${dir}" && echo in && exec sleep 60`], who);
    await once(sitting.stdout, "data");
    await end(child, "SIGTERM");
    expect(mountsBelow(home)).toHaveLength(1);
    sitting.kill("SIGKILL");
    await expectNoTraces(home);
    expect(mountsBelow(home)).toEqual([]);
  });

  check("two at once have a mount each", async () => {
    const home = homeOf();
    const [one, two] = [await mount(home), await mount(home)];
    expect(one.dir).not.toBe(two.dir);
    await end(one.child, "SIGTERM");
    expect(await look(two.dir, home)).toBe(seen);
    await end(two.child, "SIGTERM");
    await expectNoTraces(home);
  });

  anywhere("without fusermount3 the files are extracted, and stay", async () => {
    const home = homeOf();
    const { child, dir } = await mount(home, { FUSERMOUNT_PROG: "/nonexistent" });
    expect(await look(dir, home)).toBe(seen);
    expect(mountsBelow(home)).toEqual([]);
    await end(child, "SIGTERM");
    await expectNoTraces(home);
  });
});
