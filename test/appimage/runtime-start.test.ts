/** What an app finds when an AppImage starts it, and what stays when it ends: nothing. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { appDir, appImage, expectNoTraces, smallAppDir, variables } from "../support/appimage.ts";
import { printed } from "../support/bundle-of.ts";
import { leftovers, leftSince, nothing } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { start, type Way, ways } from "../support/packed.ts";
import { asUser, isRoot, ordinaryUser, run } from "../support/process.ts";
import { startsOf } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const files = new Map<string, string>();
const makers = ["of another maker, gzip", "of another maker, zstd", "of our builder"] as const;
beforeAll(async () => {
  files.set(makers[0], await appImage(smallAppDir, { compression: "gzip" }));
  files.set(makers[1], await appImage(smallAppDir, { compression: "zstd" }));
  files.set(makers[2], await appImage(smallAppDir, { manifest: {} }));
});

const homeOf = (way: Way) => (way.root ? temporaryDirectory() : userDirectory());

describe.each(makers)("an AppImage %s", (maker) => {
  const file = () => files.get(maker) as string;
  describe.each(ways)("$title", (way) => {
    const check = skipUnless(...way.needs, "mksquashfs");

    check("has the variables of an AppImage, and ours only where our builder made it", async () => {
      const home = homeOf(way);
      const env = { XDG_CONFIG_HOME: undefined };
      const { stdout, stderr } = await start(way, file(), [], home, { env, cwd: "/usr" });
      expect(stderr).toBe("");
      const found = variables(stdout);
      expect(found["APPDIR"]).toMatch(new RegExp(`^${startsOf(way)}/\\d+/static/\\w+$`));
      const { FUSELAGE_BUNDLE, FUSELAGE_BUNDLE_DIR, ...ours } = found;
      if (maker === makers[2]) {
        // It may have been written as the app of a bundle.
        expect([FUSELAGE_BUNDLE, FUSELAGE_BUNDLE_DIR]).toEqual([file(), found["APPDIR"]]);
        for (const name of ["FUSELAGE_STATIC", "FUSELAGE_TMPDIR"]) delete ours[name];
      } else expect([FUSELAGE_BUNDLE, FUSELAGE_BUNDLE_DIR]).toEqual([undefined, undefined]);
      expect(ours).toEqual({
        APPDIR: found["APPDIR"],
        APPIMAGE: file(),
        ARGV0: file(),
        FUSELAGE_LINGER: "0", // These two are the test's own.
        FUSELAGE_MOUNT: way.strategy,
        HOME: home,
        OWD: "/usr",
      });
    });

    check("has its files in APPDIR, read-only, by the strategy that was asked for", async () => {
      const script =
        'cat "$APPDIR/usr/share/with space/file"; touch "$APPDIR/x" 2>/dev/null || echo closed; pwd';
      const outcome = await start(way, file(), ["sh", "-c", script], homeOf(way), {
        cwd: "/usr",
        env: { FUSELAGE_DEBUG: "1" },
      });
      expect(outcome.stdout).toBe("data\nclosed\n/usr\n");
      expect(outcome.stderr).toContain(`mounted by ${way.strategy}`);
    });

    check(
      "the process that was started is the app, with its status, and leaks nothing",
      async () => {
        const home = homeOf(way);
        const env = { ...process.env, HOME: home, FUSELAGE_MOUNT: way.strategy };
        const who = way.root || !isRoot ? {} : ordinaryUser();
        const script = "echo $$; ls /proc/self/fd; exit 9";
        const direct = await run("sh", ["-c", script], who);
        const child = spawn(file(), ["sh", "-c", script], { env, ...who });
        let out = "";
        child.stdout.on("data", (chunk) => {
          out += chunk;
        });
        const [status] = await once(child, "close");
        expect(status).toBe(9);
        expect(out).toBe(direct.stdout.replace(/^\d+/, `${child.pid}`));
      },
    );
  });
});

describe.each(ways)("$title", (way) => {
  const file = () => files.get(makers[1]) as string;
  const check = skipUnless(...way.needs, "mksquashfs");

  check("several at once", async () => {
    const home = homeOf(way);
    const script = 'sleep 0.2; cat "$APPDIR/usr/bin/tool"';
    const all = Array.from({ length: 12 }, () => start(way, file(), ["sh", "-c", script], home));
    for (const outcome of await Promise.all(all)) {
      expect(printed(outcome)).toBe(smallAppDir["usr/bin/tool"]);
    }
    await expectNoTraces(home);
  });

  check("what the app leaves running keeps its files", async () => {
    const marker = path.join(userDirectory(), "read-later");
    const script = `(until test -e ${marker}.go; do sleep 0.05; done; cat "$APPDIR/usr/bin/tool" > ${marker}.part; mv ${marker}.part ${marker}) >/dev/null 2>&1 & exit 4`;
    const { status } = await start(way, file(), ["sh", "-c", script], homeOf(way));
    expect(status).toBe(4);
    writeFileSync(`${marker}.go`, "");
    await expect.poll(() => existsSync(marker)).toBe(true);
    expect(readFileSync(marker, "utf8")).toBe(smallAppDir["usr/bin/tool"]);
  });

  check("kill -9 leaves nothing", async () => {
    const home = homeOf(way);
    const watched = { homes: [home], files: [file()], own: [home, path.dirname(file())] };
    const before = leftovers(watched);
    const env = { ...process.env, HOME: home, FUSELAGE_MOUNT: way.strategy };
    const who = way.root || !isRoot ? {} : ordinaryUser();
    for (const delay of [0, 1, 2, 4, 8, undefined]) {
      const child = spawn(file(), ["sh", "-c", "echo up; exec sleep 60"], {
        env,
        ...who,
        stdio: ["ignore", "pipe", "ignore"],
      });
      const ended = once(child, "exit");
      if (delay === undefined) await once(child.stdout, "data");
      else await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill("SIGKILL");
      await ended;
    }
    expect(await leftSince(before, watched)).toEqual(nothing);
  });
});

describe("names and places", () => {
  const ask = async (file: string, options: Parameters<typeof run>[2] = {}) => {
    const env = { HOME: temporaryDirectory(), ...options.env };
    return variables(printed(await run(file, [], { ...options, env })));
  };

  test("a path with spaces and quotes", async () => {
    const dir = path.join(temporaryDirectory(), `it's a "dir" $HOME`);
    mkdirSync(dir);
    const file = path.join(dir, "My App (1).AppImage");
    copyFileSync(files.get(makers[1]) as string, file);
    const found = await ask(file);
    expect(found).toMatchObject({ APPIMAGE: file, ARGV0: file });
    expect(found["APPDIR"]).not.toMatch(/\s/);
  });

  test("renamed, and without an ending", async () => {
    const file = path.join(temporaryDirectory(), "tool");
    copyFileSync(files.get(makers[1]) as string, file);
    renameSync(file, `${file}2`);
    expect((await ask(`${file}2`))["APPIMAGE"]).toBe(`${file}2`);
  });

  test("through symbolic links: APPIMAGE is the file, ARGV0 what was called", async () => {
    const dir = temporaryDirectory();
    symlinkSync(files.get(makers[1]) as string, path.join(dir, "one"));
    symlinkSync("one", path.join(dir, "two"));
    const found = await ask("./two", { cwd: dir });
    expect(found).toMatchObject({ APPIMAGE: files.get(makers[1]), ARGV0: "./two", OWD: dir });
  });

  test("from PATH", async () => {
    const file = files.get(makers[1]) as string;
    const out = await run("sh", ["-c", path.basename(file)], {
      env: { HOME: temporaryDirectory(), PATH: `${path.dirname(file)}:${process.env["PATH"]}` },
    });
    expect(variables(printed(out))["APPIMAGE"]).toBe(file);
  });

  skipUnless("root", "userns")("a read-only file of another user", async () => {
    const file = path.join(temporaryDirectory(), "ro.AppImage");
    copyFileSync(files.get(makers[1]) as string, file);
    chmodSync(file, 0o555);
    const home = userDirectory();
    expect(variables(printed(await asUser(file, [], home)))["APPIMAGE"]).toBe(file);
  });

  skipUnless("root")("a read-only file system", async () => {
    const dir = temporaryDirectory();
    const script =
      'mount -t tmpfs none "$1" && cp "$0" "$1/a" && mount -o remount,ro "$1" && exec "$1/a"';
    const args = ["-m", "sh", "-c", script, files.get(makers[1]) as string, dir];
    const out = printed(await run("unshare", args, { env: { HOME: temporaryDirectory() } }));
    expect(variables(out)["APPIMAGE"]).toBe(`${dir}/a`);
  });

  test("a file that is gone while it starts keeps its name", async () => {
    const file = path.join(temporaryDirectory(), "gone.AppImage");
    copyFileSync(files.get(makers[1]) as string, file);
    // Held at its first instruction: the file goes away between exec and the first line of ours.
    const script =
      "import os,sys;f=os.open(sys.argv[1],0);os.unlink(sys.argv[1]);os.execve(f,[sys.argv[1]],os.environ)";
    const out = await run("python3", ["-c", script, file], { env: { HOME: temporaryDirectory() } });
    expect(variables(printed(out))["APPIMAGE"]).toBe(file);
    expect(existsSync(file)).toBe(false);
  });

  test("no home folder", async () => {
    const { APPDIR } = await ask(files.get(makers[1]) as string, { env: { HOME: "/nonexistent" } });
    expect(APPDIR).toMatch(isRoot ? /fuselage-starts/ : /procdirs/);
  });
});

describe("argv[0] is what the caller typed", () => {
  skipUnless("gcc")("for a program as AppRun", async () => {
    const dir = appDir({ "usr/bin/": { folder: true }, AppRun: { link: "usr/bin/program" } });
    const program = path.join(dir, "usr/bin/program");
    const source =
      "#include <stdio.h>\nint main(int c,char**v){for(int i=0;i<c;i++)puts(v[i]);return c;}\n";
    const made = await run("cc", ["-static", "-x", "c", "-o", program, "-"], { input: source });
    expect(made.stderr).toBe("");
    const file = await appImage(dir);
    const options = { cwd: path.dirname(file), env: { HOME: temporaryDirectory() } };
    const { status, stdout } = await run(`./${path.basename(file)}`, ["x"], options);
    expect({ status, stdout }).toEqual({ status: 2, stdout: `./${path.basename(file)}\nx\n` });
  });
});
