/** What an app finds when a bundle starts it, and what its caller sees of it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { bundleOf, mksquashfs, printed, runArguments } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { expectedStrategy, pack, start, ways } from "../support/packed.ts";
import { fuselage, ordinaryUser, run } from "../support/process.ts";
import { startsOf } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let file: string;
beforeAll(async () => {
  file = await pack({ run: runArguments, "data/file": "packed\n" });
});

describe.each(ways)("$title", (way) => {
  const check = skipUnless(...way.needs);
  const home = () => (way.root ? temporaryDirectory() : userDirectory());
  const ask = async (...args: string[]) => printed(await start(way, file, args, home()));

  check("the app's exit status is the bundle's", async () => {
    expect((await start(way, file, ["sh", "-c", "exit 7"], home())).status).toBe(7);
  });

  check("an app killed by a signal is a bundle killed by that signal", async () => {
    const outcome = await start(way, file, ["sh", "-c", "kill -SEGV $$"], home());
    expect(outcome.signal).toBe("SIGSEGV");
  });

  check("arguments arrive as they are", async () => {
    const args = ["", "a b", "'", "--bundle-help", "\n", "*"];
    const out = await ask("printf", "<%s>", ...args);
    expect(out).toBe(args.map((arg) => `<${arg}>`).join(""));
  });

  check("variables name the bundle, its root and its private places", async () => {
    const dir = home();
    const script = 'cd "$FUSELAGE_BUNDLE_DIR" && cat data/file && echo $$ && env | grep ^FUSELAGE_';
    const { stdout } = await start(way, file, ["sh", "-c", script], dir);
    const [content, pid, ...env] = stdout.trim().split("\n");
    const procdir = `${startsOf(way)}/${pid}`;
    expect(content).toBe("packed");
    expect(env.sort()).toEqual([
      `FUSELAGE_BUNDLE=${file}`,
      `FUSELAGE_BUNDLE_DIR=${procdir}/static/app`,
      "FUSELAGE_LINGER=0",
      `FUSELAGE_MOUNT=${way.strategy}`,
      `FUSELAGE_STATIC=${procdir}/static`,
      `FUSELAGE_TMPDIR=${procdir}/tmp`,
    ]);
  });

  check("FUSELAGE_TMPDIR is empty, private and writable", async () => {
    const script = 'cd "$FUSELAGE_TMPDIR" && ls -A && echo hi > f && stat -c %a . && cat f';
    expect(await ask("sh", "-c", script)).toBe("700\nhi\n");
  });

  check("the image cannot be written to", async () => {
    const { status, stderr } = await start(
      way,
      file,
      ["sh", "-c", 'LC_ALL=C exec touch "$FUSELAGE_BUNDLE_DIR/new"'],
      home(),
    );
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/Read-only file system/);
  });

  check("no descriptor but the caller's own leaks into the app", async () => {
    const direct = await run("sh", ["-c", "ls /proc/self/fd"]);
    expect(await ask("sh", "-c", "ls /proc/self/fd")).toBe(direct.stdout);
  });

  check("the user stays the user", async () => {
    const { uid, gid } = way.root ? { uid: 0, gid: 0 } : ordinaryUser();
    const script = 'id -u && id -g && stat -c %u "$FUSELAGE_BUNDLE_DIR"';
    expect(await ask("sh", "-c", script)).toBe(`${uid}\n${gid}\n${uid}\n`);
  });

  check("the app has no capability that its user had not", async () => {
    const caps = await ask("grep", "^CapEff", "/proc/self/status");
    const direct = await run("grep", ["^CapEff", "/proc/self/status"]);
    expect(caps).toBe(way.root ? direct.stdout : "CapEff:\t0000000000000000\n");
  });

  check("the working directory, standard input and the umask stay", async () => {
    const cwd = temporaryDirectory();
    const options = { cwd, input: "from the caller" };
    const args = ["sh", "-c", "pwd; umask; cat"];
    const { stdout } = await start(way, file, args, home(), options);
    const direct = await run("sh", ["-c", "pwd; umask; cat"], options);
    expect(stdout).toBe(direct.stdout);
  });

  check("a umask that forbids everything is the app's, and no obstacle", async () => {
    const script = 'umask 777; exec "$0" "$@"';
    const app = ["sh", "-c", 'umask; cat "$FUSELAGE_BUNDLE_DIR/data/file"'];
    const env = { HOME: home(), FUSELAGE_MOUNT: way.strategy };
    const who = way.root ? {} : ordinaryUser();
    const outcome = await run("sh", ["-c", script, file, ...app], { env, ...who });
    expect(printed(outcome)).toBe("0777\npacked\n");
  });

  check("the process that was started becomes the app", async () => {
    const env = { HOME: home(), FUSELAGE_MOUNT: way.strategy, PATH: process.env["PATH"] };
    const who = way.root ? {} : ordinaryUser();
    const child = spawn(file, ["sh", "-c", "echo $$; read line"], { env, ...who });
    const [chunk] = (await once(child.stdout, "data")) as [Buffer];
    expect(Number(chunk.toString())).toBe(child.pid);
    child.stdin.end();
    await once(child, "close");
  });

  check("a bundle runs inside a bundle, and each has its own files", async () => {
    const script =
      'outer=$FUSELAGE_BUNDLE_DIR; export outer; exec "$0" sh -c \'' +
      '[ "$outer" != "$FUSELAGE_BUNDLE_DIR" ] && cat "$outer/data/file" "$FUSELAGE_BUNDLE_DIR/data/file"\'';
    expect(await ask("sh", "-c", script, file)).toBe("packed\npacked\n");
  });
});

test("auto takes the first strategy that works", async () => {
  const env = { FUSELAGE_DEBUG: "1", FUSELAGE_MOUNT: undefined, HOME: temporaryDirectory() };
  const { stderr } = await run(file, ["true"], { env });
  expect(stderr).toMatch(new RegExp(`^fuselage: mounted by ${expectedStrategy()} in [0-9.]+ ms`));
});

skipUnless(
  "root",
  "loop",
  "fuse",
  "mksquashfs",
)("auto leaves what a kernel may be unable to read to our own reader", async () => {
  const dir = temporaryDirectory();
  writeFileSync(path.join(dir, "run"), runArguments, { mode: 0o755 });
  copyFileSync(fuselage, path.join(dir, "program"));
  const taken = async (mount: string, ...options: string[]) => {
    const image = await mksquashfs(dir, "-comp", ...options);
    const other = await bundleOf(image, { entry: "run" });
    const env = { FUSELAGE_DEBUG: "1", FUSELAGE_MOUNT: mount, HOME: temporaryDirectory() };
    const compare = 'cmp "$1" "$FUSELAGE_BUNDLE_DIR/program"';
    const outcome = await run(other, ["sh", "-c", compare, "sh", fuselage], { env });
    expect(outcome).toMatchObject({ status: 0 });
    return /mounted by (\w+)/.exec(outcome.stderr)?.[1];
  };
  for (const filters of ["x86", "arm", "powerpc,sparc"]) {
    expect([filters, await taken("auto", "xz", "-Xbcj", filters)]).toEqual([filters, "fuse"]);
  }
  expect(await taken("loop", "xz", "-Xbcj", "x86")).toBe("loop");
  // Options without a filter are nothing special.
  expect(await taken("auto", "xz", "-Xdict-size", "8K", "-b", "8K")).toBe("loop");
  expect(await taken("auto", "gzip", "-Xcompression-level", "1")).toBe("loop");
  expect(await taken("auto", "lz4", "-Xhc")).toBe("loop");
});

test("recorded arguments come before the user's, recorded variables are expanded", async () => {
  const other = await pack(
    { run: runArguments },
    {
      args: ["sh", "-c", 'echo "$1 $2 $A $B"', "sh", "recorded"],
      env: ["A=${FUSELAGE_BUNDLE_DIR}/x:${FUSELAGE_BUNDLE_DIR}", "B=$HOME ${OTHER}"],
    },
  );
  const out = printed(await run(other, ["mine"], { env: { HOME: temporaryDirectory() } }));
  expect(out).toMatch(/^recorded mine (\/\S+\/static\/app)\/x:\1 \$HOME \$\{OTHER\}\n$/);
});

test("a bundle works when it is renamed, linked to, and has spaces in its path", async () => {
  const dir = temporaryDirectory();
  const renamed = path.join(dir, "an app: with spaces");
  copyFileSync(file, renamed);
  symlinkSync(renamed, path.join(dir, "link"));
  const env = { HOME: dir };
  const args = ["sh", "-c", 'echo "$FUSELAGE_BUNDLE"'];
  expect(printed(await run(path.join(dir, "link"), args, { env }))).toBe(`${renamed}\n`);
});

test("the host sees nothing of a start but one directory with a link", async () => {
  const home = temporaryDirectory();
  const inside = printed(
    await run(file, ["sh", "-c", 'ls "$HOME/.fuselage/procdirs"'], { env: { HOME: home } }),
  );
  expect(inside).toMatch(/^[0-9]+\n$/);
  expect(readdirSync(home)).toEqual([".fuselage"]);
  expect(readdirSync(path.join(home, ".fuselage"))).toEqual(["procdirs"]);
  expect(readdirSync(path.join(home, ".fuselage/procdirs"))).not.toContain(inside.trim());
});
