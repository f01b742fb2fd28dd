/**
 * Who is who to an app that an ordinary user starts: as outside where fusermount3 mounts, and as
 * docs/limits.md says in a user namespace.
 */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, userStrategy } from "../support/packed.ts";
import { asUser, ordinaryUser, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const { uid } = ordinaryUser();

let file: string;
beforeAll(async () => {
  file = await pack({ run: runArguments, "data/file": "packed\n" });
});

/** What a command prints outside, by itself and in a namespace. */
async function compare(command: readonly string[], dir = userDirectory()) {
  const [program = "", ...args] = command;
  const options = { cwd: dir };
  const outside = await asUser(program, args, dir, options);
  const inside = await asUser(file, command, dir, options);
  const namespace = await asUser(file, command, dir, {
    ...options,
    env: { FUSELAGE_MOUNT: "fuse" },
  });
  return { outside, inside, namespace };
}

/** A set-id copy of a program that says who it is. */
function setIdCopy(): string {
  const program = path.join(temporaryDirectory(), "id");
  copyFileSync("/usr/bin/id", program);
  chmodSync(program, 0o4755);
  return program;
}

const check = skipUnless("root", "fuse", "fusermount", "userns");

describe("a bundle, where fusermount3 is there", () => {
  check("takes it by itself, and its app has no user namespace of its own", async () => {
    expect(userStrategy()).toBe("fusermount");
    const { outside, inside, namespace } = await compare(["readlink", "/proc/self/ns/user"]);
    expect(inside).toEqual(outside);
    expect(namespace.stdout).not.toBe(outside.stdout);
  });

  check("sees the owners of the machine's files", async () => {
    const { outside, inside, namespace } = await compare(["stat", "-c", "%u:%g", "/etc/passwd"]);
    expect(inside).toEqual(outside);
    expect(namespace.stdout).toBe("65534:65534\n");
  });

  check("starts set-id programs that have their rights", async () => {
    const { outside, inside, namespace } = await compare([setIdCopy(), "-u"]);
    expect(inside).toEqual(outside);
    expect(inside.stdout).toBe("0\n");
    expect(namespace.stdout).toBe(`${uid}\n`);
  });

  check("has the user's groups by their names", async () => {
    const { outside, inside } = await compare(["id"]);
    expect(inside).toEqual(outside);
  });

  check("has the user's keyring", async () => {
    // keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, create), by its number on x86_64 and aarch64.
    const script =
      'import ctypes, os; print(ctypes.CDLL(None).syscall(250 if os.uname()[4] == "x86_64" else 219, 0, -4, 1))';
    const { outside, inside, namespace } = await compare(["/usr/bin/python3", "-c", script]);
    expect(Number(outside.stdout)).toBeGreaterThan(0);
    expect(inside).toEqual(outside);
    expect(namespace.stdout).not.toBe(outside.stdout);
  });

  check("lets an app mount by FUSE itself, where the user sees it", async () => {
    const dir = userDirectory();
    const image = path.join(dir, "a.sfs");
    await run("mksquashfs", [path.dirname(file), image, "-quiet", "-no-progress"]);
    chmodSync(image, 0o644);
    const point = path.join(dir, "point");
    mkdirSync(point);
    chownSync(point, uid, ordinaryUser().gid);
    const script = 'squashfuse "$0" "$1" && ls "$1" && fusermount3 -u "$1"';
    const { outside, inside } = await compare(["sh", "-c", script, image, point], dir);
    expect(outside.status).toBe(0);
    expect(inside).toEqual(outside);
  });

  check("reads ssh's configuration that root owns", async () => {
    const dir = userDirectory();
    writeFileSync(path.join(dir, "root.conf"), "User included\n");
    writeFileSync(path.join(dir, "config"), `Include ${dir}/root.conf\n`);
    chownSync(path.join(dir, "config"), uid, ordinaryUser().gid);
    const { outside, inside } = await compare(
      [
        "sh",
        "-c",
        'command -v ssh > /dev/null || exit 0; ssh -F config -G host.invalid | grep "^user "',
      ],
      dir,
    );
    expect(inside).toEqual(outside);
  });

  check("keeps everybody else out, root included", async () => {
    const dir = userDirectory();
    const cat = path.join(temporaryDirectory(), "cat");
    copyFileSync("/bin/cat", cat);
    chmodSync(cat, 0o4755);
    const script = `echo "$FUSELAGE_BUNDLE_DIR"; cat "$FUSELAGE_BUNDLE_DIR/data/file"; ${cat} "$FUSELAGE_BUNDLE_DIR/data/file"`;
    const { status, stdout, stderr } = await asUser(file, ["sh", "-c", script], dir);
    expect(stdout).toMatch(new RegExp(`^/tmp/.fuselage-${uid}-mounts/\\d+/static/app\npacked\n$`));
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("Permission denied"),
    });
  });

  check("what needs a namespace has one", async () => {
    const writable = await pack({ run: runArguments }, { writable: true });
    const dir = userDirectory();
    const { status, stdout } = await asUser(
      writable,
      ["sh", "-c", 'echo new > "$FUSELAGE_BUNDLE_DIR/new" && stat -c %u /etc/passwd'],
      dir,
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: "65534\n" });
  });

  check("without it, or where it has no rights, a namespace is entered", async () => {
    const dir = userDirectory();
    const bin = temporaryDirectory();
    copyFileSync("/usr/bin/fusermount3", path.join(bin, "fusermount3")); // not set-id
    chmodSync(path.join(bin, "fusermount3"), 0o755);
    for (const PATH of [`${bin}`, "/nonexistent"]) {
      const env = { PATH, FUSELAGE_DEBUG: "1" };
      const { status, stderr } = await asUser(file, ["/bin/true"], dir, { env });
      expect({ status, stderr }).toEqual({
        status: 0,
        stderr: expect.stringMatching(/^fuselage: mounted by fuse in /),
      });
    }
    const quiet = await asUser("setpriv", ["--no-new-privs", file, "/bin/true"], dir, {
      env: { FUSELAGE_DEBUG: "1" },
    });
    expect(quiet.stderr).toMatch(/^fuselage: mounted by fuse in /);
  });

  check("one that refuses gives way to a namespace, and leaves nothing", async () => {
    const dir = userDirectory();
    const bin = temporaryDirectory();
    const refusing = path.join(bin, "fusermount3");
    // A set-id program that fails as fusermount3 does behind a policy of the machine's.
    copyFileSync("/bin/false", refusing);
    chmodSync(refusing, 0o4755);
    const env = { PATH: bin, FUSELAGE_DEBUG: "1", FUSELAGE_HOME: path.join(dir, "f") };
    const { status, stdout, stderr } = await asUser(
      file,
      ["/bin/sh", "-c", 'read line < "$FUSELAGE_BUNDLE_DIR/data/file"; echo "$line"'],
      dir,
      { env },
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: "packed\n" });
    expect(stderr).toMatch(/^fuselage: mounted by fuse in /);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(dir);
  });
});
