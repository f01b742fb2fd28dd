/** A strategy that is refused gives way to the next; when none works, each says why. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type BuildOptions, build } from "../../builder/index.ts";
import { makeProgram } from "../support/dynamic-elf.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, start } from "../support/packed.ts";
import { asUser, type Outcome, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let file: string;
beforeAll(async () => {
  file = await pack();
});

const user = { strategy: "fuse", root: false } as const;
const debug = { FUSELAGE_DEBUG: "1", FUSELAGE_MOUNT: "auto" };

/** Runs the bundle as a user after a change that only its own mount namespace sees. */
function asUserAfter(change: string, args: string[], env: Record<string, string> = debug) {
  const home = userDirectory();
  const drop = `exec setpriv --reuid 1000 --regid 1000 --clear-groups "$0" "$@"`;
  return run("unshare", ["-m", "sh", "-c", `${change}; ${drop}`, file, ...args], {
    env: { HOME: home, ...env },
  });
}

describe("FUSELAGE_MOUNT", () => {
  test("of an unknown value is refused", async () => {
    const { status, stderr } = await start(user, file, ["true"], userDirectory(), {
      env: { FUSELAGE_MOUNT: "magic" },
    });
    expect(status).toBe(125);
    expect(stderr).toContain("[E_MOUNT_OPTION] FUSELAGE_MOUNT=magic: expected auto, loop, fuse");
  });

  test("empty means auto", async () => {
    const env = { FUSELAGE_MOUNT: "", HOME: userDirectory() };
    expect((await run(file, ["true"], { env })).status).toBe(0);
  });

  skipUnless("userns")("loop as a user says what it needs", async () => {
    const { status, stderr } = await start(
      { strategy: "loop", root: false },
      file,
      ["true"],
      userDirectory(),
    );
    expect(status).toBe(125);
    expect(stderr).toMatch(/\[E_MOUNT_REFUSED\] .*cannot be mounted here \(loop\)\n/);
    expect(stderr).toMatch(/^ {2}loop: needs CAP_SYS_ADMIN \(running as uid \d+ without it\)$/m);
    expect(stderr).not.toMatch(/^ {2}(fuse|extract):/m);
  });
});

describe("without /dev/fuse", () => {
  const closedDevice = [
    'dir=$(mktemp -d) && mount -t tmpfs none "$dir"',
    'mknod -m 600 "$dir/fuse" c 10 229 && mount --bind "$dir/fuse" /dev/fuse',
    'umount -l "$dir" && rmdir "$dir"',
  ].join(" && ");
  const changes: [string, string, RegExp][] = [
    ["another device in its place", "mount --bind /dev/zero /dev/fuse", /FUSE mount at/],
    ["closed to this user", closedDevice, /\/dev\/fuse is not readable and writable for this user/],
  ];
  for (const [title, change, reason] of changes) {
    skipUnless("root", "userns")(`${title}: auto extracts, fuse says why`, async () => {
      const { status, stderr } = await asUserAfter(change, ["true"]);
      expect(stderr).toMatch(/^fuselage: mounted by extract/);
      expect(status).toBe(0);
      const forced = await asUserAfter(change, ["true"], { FUSELAGE_MOUNT: "fuse" });
      expect(forced.status).toBe(125);
      expect(forced.stderr).toMatch(reason);
    });
  }
});

const everyReason = ({ status, stdout, stderr }: Outcome) => {
  expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
  expect(stderr).toContain("[E_MOUNT_REFUSED]");
  for (const strategy of ["loop", "fuse", "extract"]) {
    expect(stderr).toMatch(new RegExp(`^  ${strategy}: \\S`, "m"));
  }
};

describe("without user namespaces and with no_new_privs", () => {
  /** The limit is per user namespace: it is lowered in one of the test's own. */
  const startAfter = (limit: string) => {
    const inner = `echo 0 > /proc/sys/user/max_user_namespaces && ${limit} && exec setpriv --bounding-set -all --inh-caps -all --no-new-privs "$0" "$@"`;
    const args = ["--user", "--map-current-user", "--keep-caps", "sh", "-c", inner, file, "true"];
    return asUser("unshare", args, userDirectory(), { env: debug });
  };

  skipUnless("root", "userns")("the files go to disk", async () => {
    const { status, stderr } = await startAfter("true");
    expect(stderr).toMatch(/^fuselage: mounted by extract/);
    expect(status).toBe(0);
  });

  skipUnless("root", "userns")("where no file can be written, each strategy says why", async () => {
    const outcome = await startAfter("ulimit -f 0");
    everyReason(outcome);
    expect(outcome.stderr).toMatch(/fuse: user namespace cannot be made \(limit/);
    expect(outcome.stderr).toMatch(/extract: .*File too large/);
  });
});

skipUnless("root")("root without CAP_SYS_ADMIN goes the user's way", async () => {
  const env = { ...debug, HOME: temporaryDirectory() };
  const drop = ["--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", file, "id", "-u"];
  const { status, stdout, stderr } = await run("setpriv", drop, { env });
  expect(stderr).toMatch(/mounted by (fuse|extract)/);
  expect({ status, stdout }).toEqual({ status: 0, stdout: "0\n" });
});

describe("the private directories", () => {
  const startIn = (env: Record<string, string | undefined>) =>
    asUser(file, ["sh", "-c", 'echo "$FUSELAGE_TMPDIR"'], userDirectory(), { env });

  skipUnless("userns")("are in FUSELAGE_HOME when it is set", async () => {
    const dir = path.join(userDirectory(), "elsewhere");
    const { stdout } = await startIn({ FUSELAGE_HOME: dir, FUSELAGE_MOUNT: "fuse" });
    expect(stdout).toMatch(new RegExp(`^${dir}/procdirs/\\d+/tmp\\n$`));
  });

  skipUnless("userns")("do not depend on HOME", async () => {
    const places = [
      { HOME: "/nonexistent", XDG_RUNTIME_DIR: userDirectory() },
      { HOME: "/dev/null", XDG_RUNTIME_DIR: userDirectory() },
      { HOME: undefined, XDG_RUNTIME_DIR: undefined },
    ];
    for (const env of places) {
      const { stdout } = await startIn({ ...env, FUSELAGE_MOUNT: "fuse" });
      expect(stdout).toMatch(/^\/tmp\/\.fuselage-\d+\/\d+\/tmp\n$/);
    }
  });

  skipUnless("root", "userns")("fall back where /tmp has none for this user", async () => {
    const runtimeDir = userDirectory();
    const home = userDirectory();
    const startWith = (change: string, env: Record<string, string>) =>
      asUserAfter(change, ["sh", "-c", 'echo "$FUSELAGE_TMPDIR"'], {
        ...env,
        FUSELAGE_MOUNT: "fuse",
      });
    /** What others may have left there. */
    for (const change of [
      `mount --bind ${path.dirname(file)} /tmp/.fuselage-1000`,
      "mount -t tmpfs -o mode=777,uid=1000 none /tmp/.fuselage-1000",
    ]) {
      // By the user: one that was root's for a moment would be passed over by starts of other tests.
      const made = `setpriv --reuid=1000 --regid=1000 --clear-groups mkdir -p -m 700 /tmp/.fuselage-1000; ${change}`;
      const there = await startWith(made, { XDG_RUNTIME_DIR: runtimeDir });
      expect(there.stdout).toMatch(new RegExp(`^${runtimeDir}/fuselage-starts/\\d+/tmp\\n$`));
      const last = await startWith(made, { HOME: home, XDG_RUNTIME_DIR: "/nonexistent" });
      expect(last.stdout).toMatch(new RegExp(`^${home}/.fuselage/procdirs/\\d+/tmp\\n$`));
    }
  });
});

describe("an entrypoint that cannot be executed", () => {
  const startOf = async (content: string, options: Partial<BuildOptions> = {}) => {
    const bundle = await pack({ run: content }, options);
    return run(bundle, [], { env: { HOME: temporaryDirectory() } });
  };

  test("names its missing interpreter: 127", async () => {
    const { status, stderr } = await startOf("#!/no/such/interpreter -x\nexit\n");
    expect(status).toBe(127);
    expect(stderr).toMatch(
      /\[E_ENTRY_INTERPRETER\] .*: run: .*interpreter .*: #!\/no\/such\/interpreter -x$/m,
    );
  });

  test("names the missing dynamic linker of a program: 127", async () => {
    const dir = temporaryDirectory();
    const interpreter = "/no/such/linker.so.1";
    writeFileSync(path.join(dir, "program"), makeProgram({ interpreter }), { mode: 0o755 });
    const output = path.join(dir, "program.run");
    await build({ input: path.join(dir, "program"), output });
    const { status, stderr } = await run(output, [], { env: { HOME: dir } });
    expect(status).toBe(127);
    expect(stderr).toMatch(
      /\[E_ENTRY_INTERPRETER\] .*program: the interpreter .*: \/no\/such\/linker\.so\.1$/m,
    );
  });

  test("is no program: 126", async () => {
    const dir = temporaryDirectory();
    mkdirSync(path.join(dir, "app"));
    writeFileSync(path.join(dir, "app/run"), "echo no shebang\n", { mode: 0o755 });
    const output = path.join(dir, "app.run");
    await build({ input: path.join(dir, "app"), output });
    const { status, stderr } = await run(output, [], { env: { HOME: dir } });
    expect(status).toBe(126);
    expect(stderr).toContain("[E_ENTRY_NOT_EXECUTABLE]");
  });
});
