/** The builder's folders for temporary files: whose they are, where, and that none is left. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  watch,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { appImage, smallAppDir } from "../support/appimage.ts";
import { mksquashfs } from "../support/bundle-of.ts";
import { writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { bundle, bundleCommand, hasEnded, ordinaryUser, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const check = skipUnless("root");
const mine = process.getuid?.() ?? 0;
const other = ordinaryUser().uid + 1;

const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>';

/** An image whose root and folders everybody may write to, as a hostile one has it. */
let open: string;
beforeAll(async () => {
  const dir = path.join(temporaryDirectory(), "AppDir");
  mkdirSync(dir);
  const entry = `${smallAppDir["tool.desktop"]}Categories=Utility;\n`;
  writeFiles(dir, {
    ...smallAppDir,
    "tool.desktop": entry,
    "tool.svg": icon,
  });
  for (const folder of [dir, path.join(dir, "usr"), path.join(dir, "usr/bin")]) {
    chmodSync(folder, 0o777);
  }
  open = await mksquashfs(dir, "-all-root");
});

/** Programs that stand in for those of the host, and a TMPDIR of the builder's. */
function environment(tools: Record<string, string>) {
  const bin = temporaryDirectory();
  for (const [name, script] of Object.entries(tools)) {
    writeFileSync(path.join(bin, name), `#!/bin/sh\n${script}`, { mode: 0o755 });
  }
  const TMPDIR = path.join(temporaryDirectory(), "tmp");
  mkdirSync(TMPDIR);
  chmodSync(TMPDIR, 0o1777);
  const seen = path.join(temporaryDirectory(), "seen");
  return { seen, env: { PATH: `${bin}:${process.env["PATH"]}`, TMPDIR, SEEN: seen } };
}
/** Notes owner and mode of all that stands in TMPDIR, while a command of ours waits. */
const note = 'stat -c "%u %a" "$TMPDIR"/* "$TMPDIR"/.[a-z]* 2>/dev/null >>"$SEEN" || true\n';

describe("what stands in TMPDIR is the builder's alone (0700)", () => {
  const alone = (seen: string) => {
    const lines = readFileSync(seen, "utf8").trimEnd().split("\n");
    expect(new Set(lines)).toEqual(new Set([`${mine} 700`]));
  };
  test("while an image is packed again, whatever its root's mode is", async () => {
    const { env, seen } = environment({ "desktop-file-validate": note });
    const out = path.join(temporaryDirectory(), "out.AppImage");
    const args = ["build", open, "--format", "appimage", "--exclude", "nothing", "-o", out];
    expect(await bundle(args, { env })).toMatchObject({ status: 0 });
    alone(seen);
    expect(readdirSync(env.TMPDIR)).toEqual([]);
    const { stdout } = await run(out, ["--bundle-extract", path.join(path.dirname(out), "x")]);
    expect(stdout).toContain("/x\n");
    const { stdout: mode } = await run("stat", ["-c", "%a", path.join(path.dirname(out), "x")]);
    expect(mode).toBe("777\n");
  });

  test("while an image becomes an AppImage", async () => {
    const { env, seen } = environment({ "desktop-file-validate": note });
    const out = path.join(temporaryDirectory(), "out.AppImage");
    const args = ["build", open, "--format", "appimage", "-o", out];
    expect(await bundle(args, { env })).toMatchObject({ status: 0 });
    alone(seen);
    expect(readdirSync(env.TMPDIR)).toEqual([]);
  });

  test("while gpg is asked", async () => {
    const { env, seen } = environment({ gpg: `${note}exit 2\n`, gpgconf: note });
    await bundle(["verify", await withSignature()], { env });
    alone(seen);
    expect(readdirSync(env.TMPDIR)).toEqual([]);
  });

  test("while the doctor packs an image, and nothing stands beside", async () => {
    const { env } = environment({});
    const names = new Set<string | null>();
    const watcher = watch(env.TMPDIR, (_, name) => names.add(name));
    await bundle(["doctor"], { env });
    await sleep(100);
    watcher.close();
    expect([...names].filter((name) => !/^\.bundle-[0-9a-f]{16}\.tmp$/.test(name ?? ""))).toEqual(
      [],
    );
    expect(names.size).toBeGreaterThan(0);
    expect(readdirSync(env.TMPDIR)).toEqual([]);
  });
});

/** The AppImage with something in its sections for signature and key. */
async function withSignature(): Promise<string> {
  const armour = "-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n";
  return appImage(smallAppDir, { sections: { ".sha256_sig": armour, ".sig_key": armour } });
}

describe("a signal leaves nothing: no file, no program that works in one,", () => {
  const waiting = 'echo "$$" >>"$SEEN"; exec sleep 600\n';
  const image = () => [
    ...["build", open, "--format", "appimage", "--exclude", "nothing"],
    ...["-o", "out"],
  ];
  /** What is typed in a folder of its own, and the tools that it waits for. */
  const commands: Record<
    string,
    { args: () => string[] | Promise<string[]>; tools?: Record<string, string> }
  > = {
    "bundle verify": {
      args: async () => ["verify", await withSignature()],
      tools: { gpg: waiting, gpgconf: "" },
    },
    "bundle verify, with a daemon that works in its keyring": {
      args: async () => ["verify", await withSignature()],
      tools: {
        gpg: `touch "$2/daemon"; tail -f "$2/daemon" & echo $! >"$2/daemon"\n${waiting}`,
        gpgconf: 'kill "$(cat "$2/daemon")"\n',
      },
    },
    "bundle build, in a checker of desktop entries": {
      args: image,
      tools: { "desktop-file-validate": waiting },
    },
    "bundle build, in a checker of metadata": {
      args: () => [...image(), "--app-id", "org.example.App"],
      tools: { "desktop-file-validate": "", appstreamcli: waiting },
    },
    "bundle build, in gpg": {
      args: () => [...image(), "--sign"],
      tools: { "desktop-file-validate": "", gpg: waiting },
    },
    "bundle doctor": { args: () => ["doctor"] },
    "bundle pack": {
      args: () => {
        const dir = temporaryDirectory();
        writeFiles(dir, { noise: randomBytes(8 << 20) });
        return ["pack", dir, "-o", "out.b64"];
      },
    },
  };
  for (const [title, { args, tools = {} }] of Object.entries(commands)) {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      test(`${title}, ${signal}`, async () => {
        const hasTools = Object.keys(tools).length > 0;
        for (;;) {
          const { env, seen } = environment(tools);
          const cwd = temporaryDirectory();
          const all = { ...process.env, ...env, GNUPGHOME: path.join(cwd, "none") };
          const child = spawn(process.execPath, [bundleCommand, ...(await args())], {
            cwd,
            env: all,
            stdio: "ignore",
          });
          const ended = once(child, "exit");
          const there = () => [env.TMPDIR, cwd].flatMap((dir) => readdirSync(dir));
          const waits = hasTools ? () => existsSync(seen) : () => there()[0];
          while (child.exitCode === null && !waits()) await sleep(1);
          const wasThere = there().length > 0;
          child.kill(signal);
          const [status, by] = await ended;
          // One that waits for no tool may have done its work before.
          if (!hasTools && by === null && status !== 1) continue;
          expect({ wasThere, by }).toEqual({ wasThere: true, by: signal });
          expect(there()).toEqual([]);
          const tool = existsSync(seen) ? Number(readFileSync(seen, "utf8")) : undefined;
          await expect.poll(() => workers(env.TMPDIR, tool)).toEqual([]);
          return;
        }
      });
    }
  }
});

/** Command lines of the process `tool` and of all that name a folder. */
function workers(dir: string, tool: number | undefined): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || hasEnded(pid)) return [];
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      return Number(pid) === tool || line.includes(dir) ? [line] : [];
    } catch {
      return []; // It has ended meanwhile.
    }
  });
}

describe("a TMPDIR that others can change is passed over:", () => {
  function folder(dir: string, owner: number, mode: number): string {
    mkdirSync(dir);
    chownSync(dir, owner, owner);
    chmodSync(dir, mode);
    return dir;
  }
  const inside = (name: string) => path.join(temporaryDirectory(), name);
  const cases: [string, () => string][] = [
    ["another user's", () => folder(inside("a"), other, 0o777)],
    [
      "the builder's own in another user's",
      () => folder(path.join(folder(inside("a"), other, 0o755), "x"), mine, 0o700),
    ],
    ["everybody's, not sticky", () => folder(inside("w"), mine, 0o777)],
    ["a group's, for root", () => folder(inside("g"), mine, 0o775)],
    [
      "another user's link",
      () => {
        const link = path.join(folder(inside("t"), mine, 0o1777), "l");
        symlinkSync(folder(inside("own"), mine, 0o700), link);
        lchownSync(link, other, other);
        return link;
      },
    ],
  ];
  for (const [title, make] of cases) {
    check(title, async () => {
      const dir = make();
      const { env, seen } = environment({
        "desktop-file-validate": `${note}ls -A "$TMPDIR" >>"$SEEN"\n`,
      });
      const out = path.join(temporaryDirectory(), "out.AppImage");
      const args = ["build", open, "--format", "appimage", "--exclude", "nothing", "-o", out];
      const outcome = await bundle(args, { env: { ...env, TMPDIR: dir } });
      expect(outcome).toMatchObject({ status: 0 });
      expect(readFileSync(seen, "utf8")).toBe("");
    });
  }

  check("when /tmp and /var/tmp are no better it is refused in words", async () => {
    const mounts = "for d in /tmp /var/tmp; do mount -t tmpfs -o mode=777 none $d; done";
    // The checkout stays where it is, if that is below one of them.
    const here = 'mkdir -p "$OLDPWD" && mount -c --bind . "$OLDPWD"';
    const script = `OLDPWD=$PWD; ${mounts}; ${here}; exec "$@"`;
    const args = ["-m", "sh", "-c", script, "sh", process.execPath, bundleCommand];
    const { status, stderr } = await run("unshare", [...args, "doctor"], {
      cwd: path.resolve(import.meta.dirname, "../.."),
      env: { TMPDIR: "/tmp" },
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /\[E_TMPDIR\] .*others can change what TMPDIR, \/tmp and \/var\/tmp lead to/,
    );
    expect(stderr).toContain("Set TMPDIR to a folder of your own");
  });
});
