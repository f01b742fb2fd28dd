/**
 * The library fuselage-mount, as other programs have it: compiled by the machine's compiler with what
 * pkg-config says, against glibc and against musl.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { pack as packArchive } from "../../builder/api/pack.ts";
import { hostArchitecture } from "../../builder/host/paths.ts";
import { zigEnv, zigPath } from "../../scripts/build/zig.mjs";
import { runArguments } from "../support/bundle-of.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { fuselage, ordinaryUser, type RunOptions, root, run } from "../support/process.ts";
import { buildSanitized } from "../support/sanitized.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const lib = path.join(root, "dist/lib", hostArchitecture() ?? "");
const archive = path.join(lib, "libfuselage-mount.a");
const { EACCES, EBADMSG, EINVAL, ENOENT, ENOEXEC, ENOSYS } = constants.errno;

/** What a program is compiled with. */
function flags(): string[] {
  const env = { ...process.env, PKG_CONFIG_PATH: path.join(lib, "pkgconfig") };
  const args = ["--cflags", "--libs", "fuselage-mount"];
  return execFileSync("pkg-config", args, { env, encoding: "utf8" }).trim().split(" ");
}

function compile(source: string, compiler: string[] = ["gcc"]): string {
  const program = path.join(temporaryDirectory(), path.parse(source).name);
  const [command = "", ...more] = compiler;
  const warnings = ["-Wall", "-Wextra", "-Werror", "-O2"];
  const file = path.join(root, source);
  execFileSync(command, [...more, ...warnings, file, ...flags(), "-o", program]);
  chmodSync(program, 0o755);
  return program;
}

/** Root of a user namespace, or one who keeps his name and has its capabilities, as programs of him. */
const callers: { title: string; prefix: string[]; who: () => RunOptions; how: string }[] = [
  { title: "root", prefix: [], who: () => ({}), how: "loop" },
  {
    title: "root of a user namespace",
    prefix: ["unshare", "-Urm"],
    who: ordinaryUser,
    how: "fuse",
  },
  {
    title: "a user with capabilities in a namespace",
    prefix: ["unshare", "-Um", "--map-user=1000", "--map-group=1000", "--keep-caps"],
    who: ordinaryUser,
    how: "fuse",
  },
];

let app: string;
let plain: string;
let example: string;
let program: string;
beforeAll(async () => {
  if (missing("gcc") ?? missing("pkgConfig")) return;
  const files = { run: runArguments, "data/file": "packed\n" };
  app = await pack(files);
  plain = path.join(path.dirname(app), "plain.sfs");
  await packArchive({ input: path.join(path.dirname(app), "app"), output: plain });
  chmodSync(plain, 0o644);
  example = compile("examples/mount/show-file.c");
  program = compile("test/support/mount-library.c");
});

function mountPoint(): string {
  const dir = path.join(userDirectory(), "mount, point");
  mkdirSync(dir);
  const { uid, gid } = ordinaryUser();
  chownSync(dir, uid, gid);
  return dir;
}

/** Processes that hold the file open: servers of ours do, and nobody else does here. */
function holders(file: string): string[] {
  const { ino, dev } = statSync(file);
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => {
      try {
        return readdirSync(`/proc/${pid}/fd`).some((fd) => {
          const found = statSync(`/proc/${pid}/fd/${fd}`);
          return found.ino === ino && found.dev === dev;
        });
      } catch {
        return false; // It has ended.
      }
    });
}

async function nobodyHolds(file: string): Promise<void> {
  await expect.poll(() => holders(file)).toEqual([]);
}

const found = { status: 0, stdout: "packed\n", stderr: "" };

describe.each(callers)("$title", ({ prefix, who, how }) => {
  const check = skipUnless("root", "fuse", "loop", "userns", "gcc", "pkgConfig");
  const start = (...args: string[]) => {
    const [command = "", ...more] = [...prefix, ...args];
    return run(command, more, who());
  };

  check("the example shows a file of a bundle, and of a plain image", async () => {
    for (const image of [app, plain]) {
      const outcome = await start(example, image, "data/file");
      expect(outcome).toEqual({ ...found, signal: null, stderr: `served by ${how}\n` });
      await nobodyHolds(image);
    }
  });

  check("it is attached where the caller wants it", async () => {
    const dir = mountPoint();
    const command = ["sh", "-c", '"$0" "$1" data/file "$2" && cat "$2/data/file" && umount "$2"'];
    const outcome = await start(...command, example, app, dir);
    expect(outcome).toMatchObject({ status: 0, stdout: "packed\npacked\n" });
    await nobodyHolds(app);
  });

  check("a device that the caller has mounted is served, from an open file", async () => {
    const dir = mountPoint();
    expect(await start(program, "serve", plain, dir, "data/file")).toMatchObject(found);
    await nobodyHolds(plain);
  });

  check("another process gets it over a socket", async () => {
    expect(await start(program, "hand", app, "data/file")).toMatchObject(found);
    await nobodyHolds(app);
  });

  check("the caller gets no signal and no child", async () => {
    expect(await start(program, "quiet", app, "data/file")).toMatchObject(found);
  });

  check("a runner of one's own is executed in place of the one in the library", async () => {
    const outcome = await start(program, "program", app, "data/file", fuselage);
    expect(outcome).toMatchObject(found);
    const refused = await start(program, "program", app, "data/file", "/etc/passwd");
    expect(refused).toMatchObject({ status: 0, stdout: `${EACCES}\n` });
  });
});

describe("another process's mount namespace", () => {
  const check = skipUnless("root", "fuse", "loop", "userns", "gcc", "pkgConfig");
  for (const [title, args, who] of [
    ["of root", ["-m"], {}],
    ["in a user namespace", ["-Urm"], ordinaryUser()],
  ] as const) {
    check(`${title} gets a mount, and this one does not`, async () => {
      const dir = mountPoint();
      // Says that it is there, then waits for the end of its input.
      const holder = spawn(
        "unshare",
        [...args, "sh", "-c", 'echo up; read line; cat "$0"', `${dir}/data/file`],
        {
          ...who,
          stdio: ["pipe", "pipe", "inherit"],
        },
      );
      const ended = once(holder, "exit");
      holder.stdout.setEncoding("utf8");
      await once(holder.stdout, "data");
      const outcome = await run(example, [plain, "data/file", dir, String(holder.pid)]);
      expect(outcome).toMatchObject({ status: 0, stdout: "packed\n" });
      expect(readdirSync(dir)).toEqual([]);
      holder.stdin.end("go on\n");
      expect(await once(holder.stdout, "data")).toEqual(["packed\n"]);
      await ended;
    });
  }
});

describe("a failure", () => {
  const check = skipUnless("root", "fuse", "loop", "userns", "gcc", "pkgConfig");
  const refuse = async (...args: string[]) => {
    const { status, stdout } = await run(program, ["refuse", ...args]);
    expect(status).toBe(0);
    return stdout;
  };

  check("is an errno and words", async () => {
    const dir = temporaryDirectory();
    const [text, cut, damaged] = ["text", "cut", "damaged"].map((name) => path.join(dir, name));
    writeFileSync(text as string, "no image\n");
    copyFileSync(plain, cut as string);
    truncateSync(cut as string, 200);
    writeFileSync(
      damaged as string,
      Buffer.concat([readFileSync(plain).subarray(0, 96), Buffer.alloc(8192, 0xff)]),
    );
    expect(await refuse(text as string, "", "")).toMatch(
      new RegExp(`^\\[E_ARCHIVE_FORMAT\\] .*\\n${EBADMSG}\\n$`),
    );
    for (const file of [cut, damaged]) {
      expect(await refuse(file as string, "fuse", "")).toMatch(
        new RegExp(`^\\[E_IMAGE_\\w+\\] .*\\n${EBADMSG}\\n$`),
      );
    }
    expect(await refuse("/nonexistent", "", "")).toBe(`${ENOENT}\n`);
    expect(await refuse(app, "fusermount", "")).toBe(`${EINVAL}\n`);
    expect(await refuse(app, "", "nonsense")).toMatch(
      new RegExp(`^\\[E_FUSE_OPTION\\] .*nonsense.*\\n${EINVAL}\\n$`),
    );
  });

  check("of who may not mount names each way", async () => {
    const { status, stdout } = await run(program, ["refuse", app, "", ""], ordinaryUser());
    expect(status).toBe(0);
    expect(stdout).toContain("[E_MOUNT_REFUSED]");
    expect(stdout).toContain("CAP_SYS_ADMIN");
  });
});

skipUnless(
  "gcc",
  "pkgConfig",
  "strip",
)("only the functions of the header have names in it", () => {
  const names = execFileSync("nm", ["-g", archive], { encoding: "utf8" });
  const header = readFileSync(path.join(root, "dist/include/fuselage-mount.h"), "utf8");
  const defined = [...names.matchAll(/^\S+ [A-TV-Z] (\S+)$/gm)].map(([, name]) => name as string);
  expect(defined.length).toBeGreaterThan(8);
  for (const name of defined) expect(header).toContain(`${name}(`);
  // All of it is of a libc, and the same in each: nothing that is fortified, versioned or a variable.
  const wanted = [...names.matchAll(/^\s+U (\S+)$/gm)].map(([, name]) => name as string);
  expect(wanted.filter((name) => name.startsWith("_"))).toEqual(["__errno_location"]);
});

skipUnless(
  "root",
  "fuse",
  "gcc",
  "pkgConfig",
  "musl",
)("programs of musl, and static ones of glibc, link with it too", async () => {
  for (const compiler of [
    ["x86_64-linux-musl-gcc", "-static"],
    ["gcc", "-static"],
  ]) {
    const linked = compile("test/support/mount-library.c", compiler);
    expect(await run(linked, ["hand", app, "data/file"])).toMatchObject(found);
  }
});

/** Another machine's, with its glibc: the emulator may not be able to execute what the library carries. */
describe("for another machine", () => {
  for (const [name, need, emulation, loader, target] of [
    ["aarch64", "arm64", "aarch64linux", "ld-linux-aarch64.so.1", []],
    [
      "riscv64",
      "riscv64",
      "elf64lriscv",
      "ld-linux-riscv64-lp64d.so.1",
      ["-march=rv64gc", "-mabi=lp64d"],
    ],
  ] as const) {
    skipUnless(
      need,
      "gcc",
      "pkgConfig",
    )(`${name} its functions find each other`, async () => {
      const cross = `/usr/${name}-linux-gnu`;
      const linked = path.join(temporaryDirectory(), "program");
      const include = [`-I${path.join(root, "dist/include")}`, "-nostdlibinc", "-isystem"];
      execFileSync("clang-19", [
        ...[`--target=${name}-linux-gnu`, ...target, ...include, `${cross}/include`, "-fPIE", "-c"],
        ...[path.join(root, "test/support/mount-library.c"), "-o", `${linked}.o`],
      ]);
      const crt = ["Scrt1.o", "crti.o", "crtn.o"].map((file) => `${cross}/lib/${file}`);
      const library = path.join(root, "dist/lib", name, "libfuselage-mount.a");
      const args = ["ld.lld", "-m", emulation, "-pie", `-dynamic-linker=/lib/${loader}`, ...crt];
      const files = [`${linked}.o`, library, `${cross}/lib/libc.so.6`, `${cross}/lib/${loader}`];
      execFileSync(zigPath(), [...args, ...files, "-o", linked], { env: zigEnv() });
      const start = (...more: string[]) =>
        run(`qemu-${name}-static`, ["-L", cross, linked, "refuse", ...more]);
      expect(await start("/nonexistent", "", "")).toMatchObject({ stdout: `${ENOENT}\n` });
      expect(await start(plain, "fusermount", "")).toMatchObject({ stdout: `${EINVAL}\n` });
      // As far as to the runner, and what came of it is heard: that it cannot be executed, or what it says.
      const { status, stdout } = await start(plain, "", "nonsense");
      expect(status).toBe(0);
      expect(stdout).toMatch(new RegExp(`^(${ENOSYS}|${ENOEXEC}|.*nonsense.*\\n${EINVAL})\n$`));
    });
  }
});

describe("with ASan and UBSan", () => {
  let sanitized: string;
  beforeAll(async () => {
    if (missing("gcc") === undefined) sanitized = (await buildSanitized()).mountLibrary;
  }, 600_000);

  skipUnless(
    "root",
    "fuse",
    "loop",
    "gcc",
    "pkgConfig",
  )("it does the same", async () => {
    const dir = mountPoint();
    expect(await run(sanitized, ["serve", plain, dir, "data/file"])).toMatchObject(found);
    for (const way of ["hand", "quiet"]) {
      expect(await run(sanitized, [way, app, "data/file"])).toMatchObject(found);
    }
    const refused = await run(sanitized, ["refuse", app, "", "nonsense"]);
    expect(refused).toMatchObject({ status: 0, stderr: "" });
  });
});
