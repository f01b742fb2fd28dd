/** /etc/fuselage.conf, and the FUSE server that runs in a kernel mount's place. */
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { leftovers, nothing } from "../support/leftovers.ts";
import { type Outcome, ordinaryUser, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import {
  asRoot,
  checkOf,
  hold,
  homeOf,
  imageOf,
  runnerOf,
  type Way,
  watch,
  setuidRoot as way,
  ways,
} from "./runner.ts";

const { uid, gid } = ordinaryUser();
const check = checkOf(way);
const checkLoop = checkOf(way, "loop", "fuse");

let image: string;
let etc: string;
beforeAll(async () => {
  image = await imageOf();
  etc = path.join(temporaryDirectory(), "etc");
  if (process.getuid?.() === 0) await run("sh", ["-c", 'cp -a /etc "$0"', etc]);
});

/** A line of mountinfo for the static archive, which tells how it was mounted. */
const show = ["sh", "-c", "grep static/a /proc/self/mountinfo | cut -d' ' -f6-; id -u"];

/**
 * Starts the runner as the user where /etc has a fuselage.conf that `script` makes: in a mount
 * namespace of its own, because other tests start the runner at the same time.
 */
function under(script: string, args: string[], started: Way = way): Promise<Outcome> {
  const drop = started.root ? "" : `exec setpriv --reuid ${uid} --regid ${gid} --clear-groups`;
  const body = `set -e; rm -rf etc/fuselage.conf; cd etc; ${script}; cd /; mount --bind "$1/etc" /etc
    shift; ${drop} "$@"`;
  const home = homeOf(started);
  return run(
    "unshare",
    ["-m", "sh", "-c", body, "sh", path.dirname(etc), runnerOf(started), ...args],
    {
      cwd: path.dirname(etc),
      env: { HOME: home, FUSELAGE_MOUNT: undefined, FUSELAGE_HOME: undefined },
    },
  );
}

const write = (text: string, more = "") =>
  `printf '%b' '${text}' > fuselage.conf && chmod 644 fuselage.conf${more && ` && ${more}`}`;
const archives = () => ["-s", `a:${image}`];

const loops = [
  "",
  "# comment\\n",
  "loop = auto\\n",
  "loop=never\\nloop=auto",
  "\\n\\n  loop =\\tauto  # x",
];
for (const text of loops) {
  checkLoop(`"${text}" leaves kernel mounts as they are`, async () => {
    const { status, stdout } = await under(write(text), [...archives(), ...show]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/- squashfs \/dev\/loop/);
  });
}

for (const text of ["loop = never\\n", "loop=never", "# why\\n\\n\\tloop  = never # so\\r\\n"]) {
  checkLoop(`"${text}": FUSE serves as the user`, async () => {
    const { status, stdout } = await under(write(text), [...archives(), ...show]);
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`- fuse\\.fuselage .*user_id=${uid},group_id=${gid}`));
    expect(stdout).toMatch(new RegExp(`^${uid}$`, "m"));
  });
}

checkLoop("loop = never: no option, variable or fixed path gets a kernel mount", async () => {
  const forms = [
    ["--mount-type=loop", ...archives(), "true"],
    ["--mount-type=loop", "-d", `a:${image}`, "--mount-type=loop", "-s", `b:${image}`, "true"],
  ];
  for (const form of forms) {
    const { status, stderr } = await under(write("loop = never"), form);
    expect(status).toBe(125);
    expect(stderr).toMatch(/\[E_MOUNT_REFUSED\][\s\S]*\/etc\/fuselage\.conf says loop = never/);
  }
  const args = [...archives(), "-d", `d:${image}`, "cat", "/proc/self/mountinfo"];
  const { stdout } = await under(write("loop = never"), args);
  // Other mounts of the machine are there as well.
  const own = stdout.split("\n").filter((line) => line.includes("/.fuselage/procdirs/"));
  expect(own.length).toBeGreaterThan(1);
  expect(own.join("\n")).not.toMatch(/ - squashfs /);
});

const refusals: [string, string][] = [
  ["group-writable", write("loop = auto", "chmod 664 fuselage.conf")],
  ["writable by everyone", write("loop = auto", "chmod 666 fuselage.conf")],
  ["the user's", write("loop = auto", `chown ${uid} fuselage.conf`)],
  ["a symlink", "printf 'loop = auto' > other.conf && ln -s other.conf fuselage.conf"],
  ["a dangling symlink", "ln -s none.conf fuselage.conf"],
  ["a folder", "mkdir fuselage.conf"],
  ["a pipe", "mkfifo fuselage.conf"],
  ["a device", "mknod fuselage.conf c 1 3"],
  ["closed to the user", write("loop = auto", "chmod 600 fuselage.conf")],
  ["junk", write("nonsense\\n")],
  ["an unknown key", write("fuse = never\\n")],
  ["an unknown value", write("loop = maybe\\n")],
  ["a key without a value", write("loop =\\n")],
  ["a near miss", write("loop = never!\\n")],
  ["bytes behind a NUL", write("loop = auto\\n\\0loop = never\\n")],
  ["too long", "head -c 5000 /dev/zero | tr '\\0' '\\n' > fuselage.conf"],
];
for (const [title, script] of refusals) {
  check(`a file that is ${title} is refused: E_POLICY`, async () => {
    const { status, stdout, stderr } = await under(script, [...archives(), "echo", "started"]);
    expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
    expect(stderr).toContain("[E_POLICY]");
    expect(stderr).toContain("/etc/fuselage.conf");
  });
}

checkOf(asRoot)("the policy counts in setuid-root mode only", async () => {
  for (const started of ways.filter(({ setuid }) => !setuid)) {
    const args = [...archives(), "echo", "started"];
    const { status, stdout } = await under(write("nonsense\\n"), args, started);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "started\n" });
  }
});

describe("the server", () => {
  for (const started of ways) {
    checkOf(
      started,
      "root",
      "fuse",
    )(`${started.title}: it is the caller, without capabilities`, async () => {
      const home = homeOf(started);
      const left = watch(started, home, [image]);
      const file = runnerOf(started);
      // Descriptors of the caller's that it has to close.
      const args = ["--mount-type=fuse", "-s", `a:${image}`];
      const { said, end } = await hold(started, args, 'cat "$FUSELAGE_STATIC/a/file"', home);
      try {
        expect(said).toBe("packed\n");
        const servers = leftovers({ files: [file] }).processes.filter((line) =>
          line.includes(file),
        );
        expect(servers).toHaveLength(1);
        const pid = servers[0]?.split(" ")[0] as string;
        const text = readFileSync(`/proc/${pid}/status`, "utf8");
        const id = started.root ? 0 : uid;
        expect(text).toMatch(new RegExp(`^Uid:\t${id}\t${id}\t${id}\t${id}$`, "m"));
        for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) {
          expect(text).toMatch(new RegExp(`^${set}:\t0+$`, "m"));
        }
        expect(text).toMatch(/^NoNewPrivs:\t1$/m);
        expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/");
        const fds = readdirSync(`/proc/${pid}/fd`).map((fd) =>
          readlinkSync(`/proc/${pid}/fd/${fd}`),
        );
        const foreign = fds.filter(
          (to) => !/^(\/dev\/fuse|socket:|anon_inode:)/.test(to) && to !== image,
        );
        expect(foreign).toEqual([]);
        if (!started.root) {
          const peek = await run("head", ["-c", "1", `/proc/${pid}/mem`], { uid, gid });
          expect(peek.status).not.toBe(0); // not dumpable
        }
      } finally {
        await end();
      }
      expect(await left()).toEqual(nothing);
    });
  }

  checkOf(way, "fuse")(
    "setuid-root: files of the image are the caller's, whoever it says",
    async () => {
      const file = path.join(userDirectory(), "own.sfs");
      writeFileSync(file, readFileSync(image));
      const args = [
        "--mount-type=fuse",
        "-s",
        `a:${file}`,
        "sh",
        "-c",
        'stat -c %u:%g "$FUSELAGE_STATIC/a/file"',
      ];
      const { stdout } = await under(write("loop = never"), args);
      expect(stdout).toBe(`${uid}:${gid}\n`);
    },
  );
});
