/**
 * What an administrator and the user say of sandboxes: files of /etc/fuselage/sandbox.d and of the user's
 * configuration. That of the administrator is a directory of a mount namespace of the test's own.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { build } from "../../builder/index.ts";
import { runArguments } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { type Outcome, ordinaryUser, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let front: string;
let runner: string;

/** Tells whether it is in a sandbox, and where it may write. */
const ask =
  "grep -s NoNewPrivs /proc/self/status; [ -e here ] && echo x > mark && echo cwd; [ -e $HOME/mine ] && echo home";

beforeAll(async () => {
  const dir = path.join(temporaryDirectory(), "app");
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, "run"), runArguments, { mode: 0o755 });
  const common = { input: dir, entry: "run", name: "policy-app" };
  front = path.join(dir, "../front.run");
  runner = path.join(dir, "../runner.run");
  await build({ ...common, output: front });
  await build({
    ...common,
    output: runner,
    permissions: { fs: { cwd: "ro" }, exec: "host" },
  });
});

interface Start {
  /** Files of /etc/fuselage/sandbox.d. */
  system?: Record<string, string>;
  /** Files of the user's sandbox.d. */
  user?: Record<string, string>;
  env?: Record<string, string>;
  file?: string;
  /** Is done to both directories before the start. */
  spoil?: (system: string, user: string) => void;
}

const kinds = [
  ["root", { uid: 0, gid: 0 }],
  ["a user", undefined],
] as const;

describe.each(kinds)("a start by %s", (_, who) => {
  const test = skipUnless("root", "userns");
  const { uid, gid } = who ?? ordinaryUser();

  /** Starts in a mount namespace whose /etc is the machine's with that directory. */
  async function start({ system = {}, user = {}, env = {}, file = runner, spoil }: Start) {
    const dir = temporaryDirectory();
    const [etc, home, cwd, covered] = ["etc", "home", "cwd", "covered"].map((name) =>
      path.join(dir, name),
    ) as [string, string, string, string];
    mkdirSync(covered);
    const [systemDir, userDir] = [
      path.join(etc, "sandbox.d"),
      path.join(home, ".config/fuselage/sandbox.d"),
    ];
    for (const [place, files] of [
      [systemDir, system],
      [userDir, user],
    ] as const) {
      mkdirSync(place, { recursive: true });
      for (const [name, text] of Object.entries(files)) writeFileSync(path.join(place, name), text);
    }
    mkdirSync(cwd);
    writeFileSync(path.join(cwd, "here"), "");
    writeFileSync(path.join(home, "mine"), "");
    execFileSync("chown", ["-R", `${uid}:${gid}`, home, cwd]);
    chmodSync(dir, 0o755);
    spoil?.(systemDir, userDir);
    const script = `mount -t tmpfs -o mode=0755 none "$1" && cp -a /etc/. "$1" && rm -rf "$1/fuselage" &&
      cp -a "$2" "$1/fuselage" && mount --bind "$1" /etc || exit 99
      shift 2; cd "$1"; shift; exec setpriv --reuid ${uid} --regid ${gid} --clear-groups "$@"`;
    const command = ["-m", "sh", "-c", script, "sh", covered, etc, cwd, file, "sh", "-c", ask];
    return run("unshare", command, {
      env: { PATH: process.env["PATH"], HOME: home, FUSELAGE_LINGER: "0", ...env },
    });
  }

  const said = ({ status, stdout, stderr }: Outcome) =>
    status === null || status > 1 ? stderr : stdout.replaceAll(/\s+/g, " ").trim();

  const free = "NoNewPrivs: 0 cwd home";
  const fenced = "NoNewPrivs: 1";

  test("is as it is declared where nobody says anything", async () => {
    expect(said(await start({}))).toBe(fenced);
    expect(said(await start({ file: front }))).toBe(free);
  });

  test("follows the user's files, and the environment goes before them", async () => {
    const user = { "a.conf": "name policy-app = off\n" };
    expect(said(await start({ user }))).toBe(free);
    expect(said(await start({ user, env: { FUSELAGE_SANDBOX: "on" } }))).toBe(fenced);
    const more = { "a.conf": "# more\nname policy-* = fs:cwd:rw,exec:host # than declared\n" };
    expect(said(await start({ user: more }))).toBe(`${fenced} cwd`);
    expect(said(await start({ user: more, env: { FUSELAGE_SANDBOX: "off" } }))).toBe(free);
    const others = { "a.conf": "name other = off\n", "b.txt": "nothing", ".c.conf": "nothing" };
    expect(said(await start({ user: others }))).toBe(fenced);
  });

  test("looks for them where XDG_CONFIG_HOME says", async () => {
    const elsewhere = path.join(temporaryDirectory(), "config");
    const place = path.join(elsewhere, "fuselage/sandbox.d");
    mkdirSync(place, { recursive: true });
    writeFileSync(path.join(place, "x.conf"), "* = off\n");
    execFileSync("chown", ["-R", `${uid}:${gid}`, elsewhere]);
    chmodSync(path.dirname(elsewhere), 0o755);
    const env = { XDG_CONFIG_HOME: elsewhere };
    expect(said(await start({ env, user: { "a.conf": "nonsense" } }))).toBe(free);
  });

  test("cannot take away what the administrator forbids", async () => {
    const system = { "10.conf": "* = on,deny:fs\n" };
    const all = {
      user: { "a.conf": "* = off\n" },
      env: { FUSELAGE_SANDBOX: "fs:cwd:rw,exec:host" },
    };
    expect(said(await start({ system, ...all }))).toBe(fenced);
    expect(said(await start({ system, env: { FUSELAGE_SANDBOX: "off" } }))).toBe(fenced);
    const on = { "10.conf": "* = on\n" };
    expect(said(await start({ system: on, env: { FUSELAGE_SANDBOX: "off" } }))).toBe(fenced);
    expect(
      said(await start({ system: on, env: { FUSELAGE_SANDBOX: "fs:cwd:rw,exec:host" } })),
    ).toBe(`${fenced} cwd`);
  });

  test("may take away what the administrator only proposes", async () => {
    const system = { "10.conf": "name policy-app = fs:cwd:rw,exec:host\n" };
    expect(said(await start({ system }))).toBe(`${fenced} cwd`);
    expect(said(await start({ system, env: { FUSELAGE_SANDBOX: "off" } }))).toBe(free);
    expect(said(await start({ system: { "10.conf": "* = off\n" } }))).toBe(free);
  });

  test("takes lines in the order of the files, and an exemption ends what stands before it", async () => {
    const system = { "90.conf": "name policy-app = off\n", "10.conf": "* = on,deny:fs\n" };
    expect(said(await start({ system }))).toBe(free);
    const turned = { "10.conf": "name policy-app = off\n", "90.conf": "* = on\n" };
    expect(said(await start({ system: turned }))).toBe(fenced);
  });

  test("of a bundle without a sandbox is refused where one is wanted", async () => {
    const wanted = async (more: Start) => said(await start({ file: front, ...more }));
    const refusal =
      /\[E_SANDBOX_FRONT\] \/.*: expected a bundle with a sandbox, as \/etc\/fuselage\/sandbox\.d asks for one, found none in it\. Instead: fuselage --sandbox /;
    expect(await wanted({ system: { "a.conf": "* = on" } })).toMatch(refusal);
    expect(
      await wanted({ system: { "a.conf": "* = deny:net" }, env: { FUSELAGE_SANDBOX: "off" } }),
    ).toMatch(refusal);
    expect(await wanted({ user: { "a.conf": "* = fs:cwd:rw" } })).toMatch(
      /\[E_SANDBOX_FRONT\] .*, as .*\.config\/fuselage\/sandbox\.d asks for one, /,
    );
    expect(
      await wanted({ user: { "a.conf": "* = strict" }, env: { FUSELAGE_SANDBOX: "off" } }),
    ).toBe(free);
    expect(await wanted({ env: { FUSELAGE_SANDBOX: "strict" } })).toMatch(
      /\[E_SANDBOX_FRONT\] .*, as FUSELAGE_SANDBOX asks for one, /,
    );
    expect(await wanted({ system: { "a.conf": "* = on\nname policy-app = off\n" } })).toBe(free);
  });

  test("is told from others by its digest, and by its place", async () => {
    const digest = execFileSync("sha256sum", [runner], { encoding: "utf8" }).slice(0, 64);
    const off = (key: string) => start({ user: { "a.conf": `${key} = off\n` } });
    expect(said(await off(`sha256 ${digest}`))).toBe(free);
    expect(said(await off(`sha256 ${"0".repeat(64)}`))).toBe(fenced);
    expect(said(await off("file /nowhere/app.run"))).toBe(fenced);
    // In a folder that only root and the file's owner can change it is the file.
    expect(said(await off(`file ${runner}`))).toBe(free);
    const open = path.join(temporaryDirectory(), "open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    chmodSync(path.dirname(open), 0o755);
    cpSync(runner, path.join(open, "app.run"));
    const moved = await start({
      file: path.join(open, "app.run"),
      user: { "a.conf": `file ${open}/app.run = off\n` },
    });
    expect(said(moved)).toBe(fenced);
  });

  test("of a home that its user may not enter is none: its variables are left from another", async () => {
    const spoil = (_: string, user: string) => {
      chownSync(user, 0, 0);
      chmodSync(user, 0o700);
    };
    // Root may enter every folder.
    const expected = uid === 0 ? free : fenced;
    expect(said(await start({ user: { "a.conf": "* = off" }, spoil }))).toBe(expected);
  });

  test("does not go on by a file that others can write to, or that is none", async () => {
    const refused = async (
      spoil: (system: string, user: string) => void,
      words: RegExp,
      more: Start = {},
    ) =>
      expect(
        said(
          await start({
            system: { "a.conf": "* = off" },
            user: { "a.conf": "* = off" },
            spoil,
            ...more,
          }),
        ),
      ).toMatch(words);
    const writable =
      /\[E_SANDBOX_POLICY\] .*sandbox\.d\/a\.conf: expected a file of root.* mode 0666/;
    await refused((system) => chmodSync(path.join(system, "a.conf"), 0o666), writable);
    await refused((_, user) => chmodSync(path.join(user, "a.conf"), 0o666), writable);
    await refused((system) => chownSync(path.join(system, "a.conf"), 1234, 0), /owner 1234/);
    await refused((_, user) => chownSync(path.join(user, "a.conf"), 1234, 0), /owner 1234/);
    await refused((system) => chmodSync(system, 0o777), /\[E_SANDBOX_POLICY\] .*mode 0777/);
    await refused((_, user) => chmodSync(user, 0o777), /\[E_SANDBOX_POLICY\] .*mode 0777/);
    await refused((_, user) => chownSync(user, 1234, 0), /\[E_SANDBOX_POLICY\] .*owner 1234/);
    const link = (place: string) => {
      renameSync(path.join(place, "a.conf"), path.join(place, "real"));
      symlinkSync("real", path.join(place, "a.conf"));
    };
    await refused((system) => link(system), /a\.conf: expected a regular file, found a link/);
    await refused((_, user) => link(user), /\[E_SANDBOX_POLICY\].*found a link/);
    const folder = (place: string) => {
      renameSync(path.join(place, "a.conf"), path.join(place, "real"));
      mkdirSync(path.join(place, "a.conf"));
    };
    await refused((_, user) => folder(user), /a\.conf: expected a regular file, found another/);
    await refused(
      (_, user) => writeFileSync(path.join(user, "a.conf"), Buffer.alloc(16384, "#")),
      /fewer than 16384 bytes/,
    );
    await refused(
      (_, user) => writeFileSync(path.join(user, "a.conf"), "* = off\n\0\n"),
      /expected text, found a NUL/,
    );
    await refused(() => {}, /\[E_SANDBOX_POLICY\]/, {
      user: { "a.conf": "name = off" },
      file: front,
    });
  });

  test("does not go on by a line that it does not understand", async () => {
    for (const line of [
      "* on",
      "* =",
      "= on",
      "nam app = on",
      "sha256 abc = on",
      "file app = on",
    ]) {
      const outcome = await start({ user: { "a.conf": `${line}\n` }, file: front });
      expect(outcome.stderr).toMatch(
        /\[E_SANDBOX_POLICY\] .*a\.conf: ".*": expected \*, name GLOB/,
      );
    }
    for (const words of ["onn", "fs:cwd", "deny:everything", "off,on", "net:udp"]) {
      const outcome = await start({ user: { "a.conf": `* = ${words}\n` } });
      expect(outcome.stderr).toMatch(/\[E_SANDBOX_(RULE|CONFLICT)\]/);
      expect(outcome.stderr).toContain(".config/fuselage/sandbox.d");
    }
  });

  test("reads nothing of another user's home", async () => {
    const other = path.join(temporaryDirectory(), "other");
    mkdirSync(path.join(other, ".config/fuselage/sandbox.d"), { recursive: true });
    writeFileSync(path.join(other, ".config/fuselage/sandbox.d/a.conf"), "* = off\n");
    execFileSync("chown", ["-R", "1234:1234", other]);
    chmodSync(path.dirname(other), 0o755);
    expect((await start({ env: { HOME: other } })).stderr).toContain("[E_SANDBOX_POLICY]");
  });
});
