/**
 * Setuid-root: no name that the caller can change is resolved with root's rights, and no mount point
 * is the caller's choice.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { runtimeFile } from "../support/bundle-of.ts";
import { asUser, ordinaryUser, run } from "../support/process.ts";
import {
  asOrdinary,
  checkOf,
  fixedPath,
  imageOf,
  runnerOf,
  start,
  setuidRoot as way,
} from "../support/runner.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import { callsAsRoot, type RootCall } from "../support/trace.ts";
import { makeZip } from "../support/zip.ts";

const { uid, gid } = ordinaryUser();
const check = checkOf(way);

let image: string;
let zip: string;
beforeAll(async () => {
  image = await imageOf();
  zip = path.join(temporaryDirectory(), "z.zip");
  writeFileSync(zip, makeZip([{ name: "file", content: "zipped\n" }]));
});

/** Runs `command` as the user under strace. @returns what it asked for as root, and its outcome */
async function traced(args: string[], script = 'exec "$@"') {
  const log = path.join(temporaryDirectory(), "log");
  const file = runnerOf(way);
  const drop = ["setpriv", "--reuid", `${uid}`, "--regid", `${gid}`, "--clear-groups"];
  const command = ["sh", "-c", script, "sh", file, ...args];
  const outcome = await run("strace", ["-f", "-qq", "-s", "4096", "-o", log, ...drop, ...command], {
    env: { HOME: userDirectory(), FUSELAGE_MOUNT: undefined, FUSELAGE_HOME: undefined },
  });
  return { ...outcome, calls: callsAsRoot(readFileSync(log, "utf8"), file, uid) };
}

/** What may be named as root: relative words, and places that only root can change. */
const allowed = (name: string) =>
  /^(?!\/)(?!.*(^|\/)\.\.(\/|$))/.test(name) ||
  /^\/run\/fuselage(-starts)?(\/|$)/.test(name) ||
  /^\/dev\/loop(-control|\d+)$/.test(name) ||
  name === "/proc/self/ns/mnt";

const show = ({ name, args }: RootCall) => `${name}(${args}`;

describe("names that are resolved with root's rights", () => {
  const starts: [string, () => string[], string?][] = [
    ["nothing but a command", () => ["true"]],
    ["--static", () => ["-s", `a:${image}`, "true"]],
    ["--static by fuse", () => ["--mount-type=fuse", "-s", `a:${image}`, "true"]],
    ["--static by extract", () => ["--mount-type=extract", "-s", `a:${image}`, "true"]],
    ["--dynamic", () => ["-d", `a:${image}`, "true"]],
    ["--dynamic by extract", () => ["--mount-type=extract", "-d", `a:${image}`, "true"]],
    ["zip files", () => ["-s", `s:${zip}`, "-d", `d:${zip}`, "true"]],
    ["--cache-static", () => ["--cache-static", "-s", `s:${zip}`, "true"]],
    ["--dynamic-empty", () => ["--dynamic-empty=e", "true"]],
    ["--run", () => ["-s", `a:${image}`, "--run", "bin/say"]],
    ["--doctor", () => ["--doctor=text", "-s", `a:${image}`]],
    [
      "a start inside a start",
      () => ["-s", `a:${image}`, runnerOf(way), "-s", `a:${image}`, "-d", `b:${image}`, "true"],
    ],
    ["a fixed path", () => ["-s", `${fixedPath()}:${image}`, "true"]],
    [
      "a folder that it may not enter",
      () => ["-d", `a:${image}`, "true"],
      'mkdir "$HOME/d"; cd "$HOME/d"; chmod 0 .; exec "$@"',
    ],
    ["an image that is damaged", () => ["-s", "a:/etc/passwd", "true"]],
    ["no descriptors", () => ["-d", `a:${image}`, "true"], 'exec "$@" <&- >&- 2>&-'],
  ];
  for (const [title, args] of starts) {
    checkOf(
      way,
      "strace",
      "fuse",
      "loop",
    )(`${title}`, async () => {
      const { calls, stderr } = await traced(args());
      expect(calls.length, stderr).toBeGreaterThan(0); // The setuid bit counted.
      const wrong = calls.filter(({ paths }) => paths.some((name) => !allowed(name)));
      expect(wrong.map(show)).toEqual([]);
      // Without MS_BIND a superblock of the host's would be changed for everybody.
      const remounts = calls.filter(({ args }) => args.includes("MS_REMOUNT"));
      expect(remounts.filter(({ args }) => !args.includes("MS_BIND")).map(show)).toEqual([]);
    });
  }

  checkOf(
    way,
    "strace",
    "fuse",
    "loop",
  )("the test sees what it is for", async () => {
    const { calls, status } = await traced(["-d", `d:${image}`, "-s", `s:${image}`, "true"]);
    expect(status).toBe(0);
    const mounts = calls.filter(({ name }) => name === "mount").map(({ paths }) => paths[1]);
    expect(mounts.length).toBeGreaterThanOrEqual(4);
    expect(calls.map(({ name }) => name)).toEqual(expect.arrayContaining(["mkdirat", "unshare"]));
  });
});

/** A folder of root's with one file, and a tmpfs of it: nothing in them may ever change. */
describe("a home that leads to root's", () => {
  const forms: [string, () => string[]][] = [
    ["--static", () => ["-s", `a:${image}`]],
    ["--dynamic", () => ["-d", `a:${image}`]],
    ["extraction", () => ["--mount-type=extract", "-s", `a:${image}`]],
    ["a zip file", () => ["-s", `a:${zip}`]],
    ["an empty directory", () => ["--dynamic-empty=a"]],
  ];
  const names = ["static", "dynamic", "tmp", ".overlay", "run"];
  /** What stands in the place of procdirs/<pid>, for a start whose pid is known. */
  const plants: [string, (victim: string) => string][] = [
    ["the start's directory", (victim) => `ln -s ${victim} "$p/$$"`],
    [
      "each of its directories",
      (victim) =>
        `mkdir "$p/$$" && for n in ${names.join(" ")}; do ln -s ${victim} "$p/$$/$n"; done`,
    ],
    [
      "layers of the overlay",
      (victim) =>
        `mkdir -p "$p/$$/.overlay/0" "$p/$$/dynamic/a" && for n in lower upper work; do ln -s ${victim} "$p/$$/.overlay/0/$n"; done`,
    ],
    ["/proc in the place of procdirs", () => 'rmdir "$p" && ln -s /proc "$p"'],
  ];
  for (const [what, plant] of plants) {
    check(`${what}: nothing of root's is changed or covered`, async () => {
      const victim = temporaryDirectory();
      chmodSync(victim, 0o755);
      await run("mount", ["-t", "tmpfs", "-o", "mode=755", "victim", victim]);
      try {
        writeFileSync(path.join(victim, "kept"), "kept\n");
        for (const [form, args] of forms) {
          const home = userDirectory();
          const script = `p=$HOME/.fuselage/procdirs; mkdir -p "$p" && chmod 700 "$HOME/.fuselage" && ${plant(victim)} && exec "$@"`;
          const outcome = await asUser(
            "sh",
            ["-c", script, "sh", runnerOf(way), ...args(), "cat", `${victim}/kept`],
            home,
            { env: { HOME: home } },
          );
          expect({ form, ...outcome }).toMatchObject({ form, status: 0, stdout: "kept\n" });
          expect(readdirSync(victim)).toEqual(["kept"]);
          writeFileSync(path.join(victim, "kept"), "kept\n"); // Still writable for root.
        }
      } finally {
        await run("umount", [victim]);
      }
    });
  }

  check("exchanged while the start reads its archive", async () => {
    const victim = temporaryDirectory();
    chmodSync(victim, 0o755);
    writeFileSync(path.join(victim, "kept"), "kept\n");
    for (const name of [".fuselage", ".fuselage/procdirs"]) {
      const home = userDirectory();
      // The start waits for the writer of the pipe, when it has begun and nothing is mounted.
      const script = `mkdir -p -m 700 "$HOME/.fuselage" && mkdir "$HOME/.fuselage/procdirs" && mkfifo "$HOME/pipe" && { "$@" & }
        exec 3>"$HOME/pipe"
        mv "$HOME/${name}" "$HOME/aside" && ln -s ${victim} "$HOME/${name}"
        cat ${image} >&3; exec 3>&-; wait $!`;
      const args = ["-d", `a:${home}/pipe`, "cat", `${victim}/kept`];
      const { stdout } = await asUser("sh", ["-c", script, "sh", runnerOf(way), ...args], home, {
        env: { HOME: home },
      });
      expect({ name, there: readdirSync(victim) }).toEqual({ name, there: ["kept"] });
      expect(["", "kept\n"]).toContain(stdout);
    }
  });
});

describe("/run/fuselage-starts", () => {
  check("is root's, and empty on the host", async () => {
    const script = 'cd "$FUSELAGE_TMPDIR/../.." && pwd && stat -c "%u %a" . && ls';
    const { stdout } = await start(way, ["-s", `a:${image}`, "sh", "-c", script]);
    const [, name = ""] = /^\/run\/fuselage-starts\n0 755\n(\d+)\n$/.exec(stdout) ?? [];
    expect(name, stdout).not.toBe("");
    const { mode, uid: owner } = statSync("/run/fuselage-starts");
    expect({ mode: mode & 0o7777, owner }).toEqual({ mode: 0o755, owner: 0 });
    // Mounts of root's on the host, which other tests make, have a place there.
    expect(readdirSync("/run/fuselage-starts")).not.toContain(name);
  });

  /** Starts the runner where `script` has changed /run of a mount namespace. */
  const where = (script: string) =>
    run(
      "unshare",
      [
        ...["-m", "sh", "-c", `mount -t tmpfs none /run && ${script} && exec "$@"`, "sh"],
        ...["setpriv", "--reuid", `${uid}`, "--regid", `${gid}`, "--clear-groups"],
        ...[runnerOf(way), "-s", `a:${image}`, "sh", "-c", 'cat "$FUSELAGE_STATIC/a/file"'],
      ],
      { env: { HOME: userDirectory(), FUSELAGE_HOME: undefined, FUSELAGE_MOUNT: undefined } },
    );
  check("is made where it is missing", async () => {
    expect(await where("true")).toMatchObject({ status: 0, stdout: "packed\n" });
  });
  const wrong: [string, string][] = [
    ["somebody else's", `mkdir /run/fuselage-starts && chown ${uid} /run/fuselage-starts`],
    ["writable by others", "mkdir -m 777 /run/fuselage-starts"],
    ["writable by a group", "mkdir -m 775 /run/fuselage-starts"],
    ["a link", "mkdir /run/x && ln -s /run/x /run/fuselage-starts"],
    ["a file", "touch /run/fuselage-starts"],
  ];
  for (const [what, script] of wrong) {
    check(`that is ${what} is refused`, async () => {
      const { status, stdout, stderr } = await where(script);
      expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
      expect(stderr).toMatch(/\[E_HOME_UNUSABLE\] \/run\/fuselage-starts/);
    });
  }
});

describe("a path that root's programs know", () => {
  /** Stands for a rule of sudo's, or a line of cron's: runs a file as root, for anybody. */
  let sudo: string;
  let evil: string;
  let evilZip: string;
  beforeAll(async () => {
    const dir = temporaryDirectory();
    chmodSync(dir, 0o755);
    sudo = path.join(dir, "run-as-root");
    const source = `#include <unistd.h>
      int main(int c, char **v) { return setuid(0) || setgid(0) ? 3 : execv(v[1], v + 1); }`;
    writeFileSync(`${sudo}.c`, source);
    await run("gcc", ["-o", sudo, `${sudo}.c`]);
    chmodSync(sudo, 0o4755);
    const say = "#!/bin/sh\nexec id -u\n";
    evil = await imageOf({ "bin/python": say });
    evilZip = path.join(dir, "evil.zip");
    writeFileSync(evilZip, makeZip([{ name: "bin/python", content: say, mode: 0o755 }]));
  });

  checkOf(way, "gcc")("what it stands for works", async () => {
    expect((await asUser(sudo, ["/usr/bin/id", "-u"], "/")).stdout).toBe("0\n");
  });

  const forms: [string, (dir: string) => string[]][] = [
    ["--static", (dir) => ["-s", `${dir}:${evil}`]],
    ["--static by loop", (dir) => ["--mount-type=loop", "-s", `${dir}:${evil}`]],
    ["--static by fuse", (dir) => ["--mount-type=fuse", "-s", `${dir}:${evil}`]],
    ["--static by extract", (dir) => ["--mount-type=extract", "-s", `${dir}:${evil}`]],
    ["--static of a zip file", (dir) => ["-s", `${dir}:${evilZip}`]],
    ["--dynamic", (dir) => ["-d", `${dir}:${evil}`]],
    ["beside another archive", (dir) => ["-s", `a:${evil}`, "-d", `${dir}:${evil}`]],
  ];
  for (const [title, args] of forms) {
    checkOf(
      way,
      "gcc",
      "userns",
    )(`${title}: no program of the user's runs as root`, async () => {
      const dir = fixedPath();
      const { stdout } = await start(way, [...args(dir), sudo, `${dir}/bin/python`]);
      expect(stdout).not.toMatch(/^0$/m);
      expect(existsSync(dir)).toBe(false); // and nothing is left in /run
    });
  }

  checkOf(
    way,
    "gcc",
    "userns",
  )("--dynamic-empty: nor one that it puts there", async () => {
    const dir = fixedPath();
    const script = `printf '#!/bin/sh\\nexec id -u\\n' >${dir}/x && chmod 755 ${dir}/x && ${sudo} ${dir}/x; ${dir}/x`;
    const { stdout } = await start(way, [`--dynamic-empty=${dir}`, "sh", "-c", script]);
    expect(stdout).toBe(`${uid}\n`); // The documented path works, for the user alone.
  });
});

describe("capabilities of the file in place of the bit", () => {
  /** Version 2 of the attribute: effective or not, then the permitted and the inheritable sets. */
  const attribute = (effective: boolean, bit: number) => {
    const value = Buffer.alloc(20);
    value.writeUInt32LE(0x02000000 | (effective ? 1 : 0), 0);
    value.writeUInt32LE(2 ** bit, 4);
    return `0x${value.toString("hex")}`;
  };
  const [DAC_OVERRIDE, SYS_ADMIN] = [1, 21];
  const sets: [string, boolean, number][] = [
    ["cap_sys_admin+ep", true, SYS_ADMIN],
    ["cap_sys_admin+p", false, SYS_ADMIN],
    ["cap_dac_override+ep", true, DAC_OVERRIDE],
  ];
  for (const [title, effective, bit] of sets) {
    checkOf(way, "xattrs")(`${title} is refused, whatever is asked for`, async () => {
      const file = path.join(temporaryDirectory(), "fuselage");
      chmodSync(path.dirname(file), 0o755);
      copyFileSync(runtimeFile, file);
      chmodSync(file, 0o755);
      await run("setfattr", ["-n", "security.capability", "-v", attribute(effective, bit), file]);
      const victim = temporaryDirectory();
      writeFileSync(path.join(victim, "kept"), "kept\n");
      for (const args of [
        [`--mount=${image}`, victim],
        ["-s", `a:${image}`, "true"],
        ["--doctor=text", "-s", `a:${image}`],
        ["true"],
      ]) {
        const home = userDirectory();
        const { status, stdout, stderr } = await asUser(file, args, home, { env: { HOME: home } });
        expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
        expect(stderr).toMatch(/^fuselage: \[E_PRIVILEGES\] .*capabilities of the file/);
      }
      expect(readdirSync(victim)).toEqual(["kept"]);
    });
  }

  checkOf(asOrdinary, "root")("a caller with capabilities of its own is not refused", async () => {
    const home = userDirectory();
    const command = ["--reuid", `${uid}`, "--regid", `${gid}`, "--clear-groups"];
    const caps = ["--inh-caps", "+sys_admin", "--ambient-caps", "+sys_admin"];
    const args = [...command, ...caps, runnerOf(asOrdinary), "id", "-u"];
    const { status, stdout } = await run("setpriv", args, { env: { HOME: home } });
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${uid}\n` });
  });
});
