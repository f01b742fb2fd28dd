/** /etc/fuselage.conf, and the FUSE server that runs in a kernel mount's place. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { leftovers, nothing } from "../support/leftovers.ts";
import { type Outcome, ordinaryUser, run } from "../support/process.ts";
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
} from "../support/runner.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

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
const show = [
  "sh",
  "-c",
  `grep " $FUSELAGE_STATIC/a " /proc/self/mountinfo | cut -d' ' -f6-; id -u`,
];

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
  const own = stdout.split("\n").filter((line) => line.includes("/run/fuselage-starts/"));
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
  ["a fixed path without a file", write("/run/fuselage/x = 0\\n")],
  ["a fixed path of a file that is relative", write("/run/fuselage/x = x.sfs 0\\n")],
  ["a fixed path without owner or digest", write("/run/fuselage/x = /x.sfs\\n")],
  ["a fixed path with half a digest", write("/run/fuselage/x = /x.sfs 0123abcd\\n")],
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

describe("a fixed path", () => {
  const dir = "/run/fuselage/test-policy";
  /** Whether root's programs see it: the start is in the machine's own user namespace. */
  const seen = ["sh", "-c", `cat ${dir}/file && readlink /proc/self/ns/user`];
  const outside = () => readlinkSync("/proc/self/ns/user");
  const digest = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");
  /** A copy of the image with this owner and mode, in a folder of root's. */
  const copyOf = (owner: number, mode: number) => {
    const folder = temporaryDirectory();
    chmodSync(folder, 0o755);
    const file = path.join(folder, "a b.sfs");
    copyFileSync(image, file);
    chownSync(file, owner, owner);
    chmodSync(file, mode);
    return file;
  };
  afterAll(() => rmSync(dir, { force: true, recursive: true }));

  const allowing: [string, () => [file: string, word: string | number]][] = [
    ["root's file, by its owner", () => [copyOf(0, 0o644), 0]],
    ["another user's file, by its owner", () => [copyOf(4711, 0o644), 4711]],
    ["the caller's own file, by its owner", () => [copyOf(uid, 0o644), uid]],
    ["a file that others may write to, by its contents", () => [copyOf(0, 0o666), digest(image)]],
    ["the caller's own file, by its contents", () => [copyOf(uid, 0o644), digest(image)]],
  ];
  for (const [title, make] of allowing) {
    check(`${title}: is the machine's own`, async () => {
      const [file, word] = make();
      const conf = write(`# the tools\\n\\t${dir}  =  ${file}   ${word} # all\\n`);
      const { status, stdout, stderr } = await under(conf, ["-s", `${dir}:${file}`, ...seen]);
      expect({ status, stdout, stderr }).toEqual({
        status: 0,
        stdout: `packed\n${outside()}\n`,
        stderr: "",
      });
    });
  }

  const other = (file: string) => copyOf(0, statSync(file).mode & 0o777);
  const refusing: [string, () => { conf: string; args: string[] }][] = [
    ["no line", () => ({ conf: "", args: ["-s", `${dir}:${copyOf(0, 0o644)}`] })],
    [
      "a line of another name",
      () => {
        const file = copyOf(0, 0o644);
        return { conf: `${dir}x = ${file} 0`, args: ["-s", `${dir}:${file}`] };
      },
    ],
    [
      "another file",
      () => {
        const file = copyOf(0, 0o644);
        return { conf: `${dir} = ${file} 0`, args: ["-s", `${dir}:${other(file)}`] };
      },
    ],
    [
      "another owner",
      () => {
        const file = copyOf(uid, 0o644);
        return { conf: `${dir} = ${file} 0`, args: ["-s", `${dir}:${file}`] };
      },
    ],
    [
      "a file that a group may write to",
      () => {
        const file = copyOf(0, 0o664);
        return { conf: `${dir} = ${file} 0`, args: ["-s", `${dir}:${file}`] };
      },
    ],
    [
      "other contents",
      () => {
        const file = copyOf(0, 0o644);
        return { conf: `${dir} = ${file} ${"0".repeat(64)}`, args: ["-s", `${dir}:${file}`] };
      },
    ],
    [
      "a writable copy of what is allowed",
      () => {
        const file = copyOf(0, 0o644);
        return { conf: `${dir} = ${file} 0`, args: ["-d", `${dir}:${file}`] };
      },
    ],
    [
      "one of two",
      () => {
        const file = copyOf(0, 0o644);
        const args = ["-s", `${dir}:${file}`, "-s", `${dir}2:${file}`];
        return { conf: `${dir} = ${file} 0`, args };
      },
    ],
  ];
  for (const [title, make] of refusing) {
    checkOf(way, "userns")(`${title}: is the caller's, in a user namespace`, async () => {
      const { conf, args } = make();
      const { status, stdout, stderr } = await under(write(conf), [...args, ...seen]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toMatch(/^packed\nuser:/);
      expect(stdout).not.toContain(outside());
    });
  }

  check("what is allowed by its contents stays what it was when it is written to", async () => {
    const file = copyOf(uid, 0o644);
    const conf = write(`${dir} = ${file} ${digest(file)}`);
    const script = `cat ${dir}/file; head -c 100000 /dev/zero | dd of="${file}" conv=notrunc status=none
      cat ${dir}/bin/say >/dev/null && cat ${dir}/plain`;
    const { stdout } = await under(conf, ["-s", `${dir}:${file}`, "sh", "-c", script]);
    expect(stdout).toBe("packed\nno program\n");
  });
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
          // The last is the file for what it learns of the start.
          (to) =>
            !/^(\/dev\/fuse|socket:|anon_inode:)|\/\.fuselage\/starts\/[0-9a-f]{32}$/.test(to) &&
            to !== image,
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
