/**
 * --appimage-extract-and-run and APPIMAGE_EXTRACT_AND_RUN: files in memory of the start's own, or
 * on disk where that cannot be had; kept for later starts with NO_CLEANUP.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { appImage, expectNoTraces, smallAppDir, variables } from "../support/appimage.ts";
import { printed } from "../support/bundle-of.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { asUser, ordinaryUser, root, run } from "../support/process.ts";
import { aloneIn } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let file: string;
let refuse: string;
beforeAll(async () => {
  file = await appImage();
  refuse = path.join(temporaryDirectory(), "refuse-calls");
  const source = path.join(root, "test/support/refuse-calls.c");
  if (missing("gcc") === undefined) execFileSync("cc", ["-o", refuse, source]);
});

describe.each([
  ["as root", false],
  ["as a user", true],
] as const)("%s", (_, user) => {
  const check = user ? skipUnless("userns") : skipUnless("root");
  const home = () => (user ? userDirectory() : temporaryDirectory());
  const start = (args: string[], dir: string, env: Record<string, string> = {}) => {
    const all = { ...aloneIn(dir), TMPDIR: dir, FUSELAGE_DEBUG: "1", ...env };
    return user ? asUser(file, args, dir, { env: all }) : run(file, args, { env: all });
  };

  check("the option and the variable extract, run, and leave nothing", async () => {
    for (const [args, env] of [
      [["--appimage-extract-and-run"], {}],
      [[], { APPIMAGE_EXTRACT_AND_RUN: "1" }],
      [[], { APPIMAGE_EXTRACT_AND_RUN: "" }],
    ] as [string[], Record<string, string>][]) {
      const dir = home();
      const outcome = await start([...args, "sh", "-c", 'ls "$APPDIR"; exit 3'], dir, env);
      expect(outcome.stderr).toMatch(/^fuselage: mounted by extract/);
      expect(outcome.stdout).toBe("AppRun\ntool.desktop\nusr\n");
      expect(outcome.status).toBe(3);
      expect(readdirSync(dir)).toEqual([".fuselage"]);
      await expectNoTraces(dir);
    }
  });

  check("the option counts as the first argument only", async () => {
    const outcome = await start(["echo", "--appimage-extract-and-run"], home());
    expect(outcome.stdout).toBe("--appimage-extract-and-run\n");
    expect(outcome.stderr).not.toContain("mounted by extract");
  });

  check("the variables are those of any start", async () => {
    const dir = home();
    mkdirSync(`${file}.config`, { recursive: true });
    if (user) chownSync(`${file}.config`, ordinaryUser().uid, ordinaryUser().gid);
    const found = variables((await start(["--appimage-extract-and-run"], dir)).stdout);
    rmSync(`${file}.config`, { recursive: true });
    expect(found).toMatchObject({ APPIMAGE: file, ARGV0: file, XDG_CONFIG_HOME: `${file}.config` });
  });

  describe("NO_CLEANUP", () => {
    const keep = (dir: string, args: string[] = ["sh", "-c", 'echo "$APPDIR"']) =>
      start(["--appimage-extract-and-run", ...args], dir, { NO_CLEANUP: "1" });

    check("keeps the files on disk, and the next start finds them", async () => {
      const dir = home();
      const appdir = printed(await keep(dir)).trim();
      expect(appdir.startsWith(`${dir}/.fuselage/cache/`)).toBe(true);
      const tool = path.join(appdir, "usr/bin/tool");
      expect(readFileSync(tool, "utf8")).toBe(smallAppDir["usr/bin/tool"]);
      const { ino } = statSync(tool);
      expect(printed(await keep(dir)).trim()).toBe(appdir);
      expect(statSync(tool).ino).toBe(ino);
      await expectNoTraces(dir);
    });

    check("starts at once share one tree, whoever is first", async () => {
      const dir = home();
      const outcomes = await Promise.all(Array.from({ length: 6 }, () => keep(dir)));
      expect(new Set(outcomes.map(printed)).size).toBe(1);
    });

    check("counts only when files are extracted", async () => {
      const { stderr } = await start(["true"], home(), { NO_CLEANUP: "1" });
      expect(stderr).not.toContain("mounted by extract");
    });
  });
});

describe("in a container that refuses namespaces and has no fusermount3", () => {
  const check = skipUnless("root", "gcc");
  const { uid, gid } = ordinaryUser();
  const bin = () => {
    const dir = temporaryDirectory();
    for (const name of ["sh", "cat", "sleep", "mv", "stat", "env"]) {
      writeFileSync(path.join(dir, name), `#!/bin/sh\nexec /bin/${name} "$@"\n`);
      chmodSync(path.join(dir, name), 0o755);
    }
    return dir;
  };
  const start = (home: string, args: string[], env: Record<string, string> = {}) =>
    run(refuse, [`${uid}`, `${gid}`, file, ...args], {
      env: { ...aloneIn(home), PATH: bin(), ...env },
    });

  check("it starts by itself, from files on disk", async () => {
    for (const args of [[], ["--appimage-extract-and-run"]]) {
      const home = userDirectory();
      const script = 'cat "$APPDIR/usr/bin/tool"; exit 5';
      const outcome = await start(home, [...args, "sh", "-c", script], { FUSELAGE_DEBUG: "1" });
      expect(outcome.stderr).toMatch(/^fuselage: mounted by extract/);
      expect(outcome.stdout).toBe(smallAppDir["usr/bin/tool"]);
      expect(outcome.status).toBe(5);
      await expectNoTraces(home);
    }
  });

  check("what the app leaves running keeps its files", async () => {
    const home = userDirectory();
    const marker = path.join(home, "read-later");
    // The shell in the background has nothing of the files open, and another working folder.
    const script = `cd /; (until test -e ${marker}.go; do sleep 0.05; done; cat "$APPDIR/usr/bin/tool" > ${marker}) >/dev/null 2>&1 & exit 6`;
    expect((await start(home, ["sh", "-c", script])).status).toBe(6);
    await expectNoTraces(home);
    writeFileSync(`${marker}.go`, "");
    await expect.poll(() => existsSync(marker)).toBe(true);
    await expect.poll(() => readFileSync(marker, "utf8")).toBe(smallAppDir["usr/bin/tool"]);
  });

  check("kill -9, also while it extracts, leaves nothing", async () => {
    const home = userDirectory();
    const env = { ...process.env, ...aloneIn(home), PATH: bin() };
    for (const delay of [0, 1, 2, 3, 5, 8, 40]) {
      const args = [`${uid}`, `${gid}`, file, "sh", "-c", "exec sleep 60"];
      const child = spawn(refuse, args, { env, stdio: "ignore" });
      const ended = once(child, "exit");
      await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill("SIGKILL");
      await ended;
    }
    // The folder of one whose janitor was not there yet goes with the next start.
    await run(refuse, [`${uid}`, `${gid}`, file, "sh", "-c", ":"], { env });
    await expectNoTraces(home);
  });
});

test("FUSERMOUNT_PROG is the helper that is used", async () => {
  const home = temporaryDirectory();
  const helper = path.join(home, "my helper");
  writeFileSync(helper, '#!/bin/sh\necho "no, says mine: $*" >&2\nexit 1\n');
  chmodSync(helper, 0o755);
  const env = { HOME: home, FUSELAGE_MOUNT: "fusermount", FUSERMOUNT_PROG: helper };
  const { status, stderr } = await run(file, ["true"], { env });
  expect(status).toBe(127);
  expect(stderr).toMatch(/fusermount3 failed: no, says mine: -o ro,/);
});
