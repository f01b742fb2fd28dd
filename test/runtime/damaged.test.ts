/**
 * Damaged images, served by our server: a read that needs the damaged bytes fails, all others are
 * right, and the system's log says which file of which image it was. The log is a socket in place
 * of /dev/log, in a mount namespace of the test.
 */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect } from "vitest";
import { bundleOf, mksquashfs, runtimeFile } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { ordinaryUser, run } from "../support/process.ts";
import { imageOf } from "../support/runner.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const withLog = `
import os, socket, subprocess, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(sys.argv[1] + "/log")
os.chmod(sys.argv[1] + "/log", 0o666)
script = """
  mkdir "$0/dev"; mount -t tmpfs -o mode=755 dev "$0/dev"
  for f in null fuse log; do : > "$0/dev/$f"; done
  for f in null fuse; do mount --bind /dev/$f "$0/dev/$f"; done
  mount --bind "$0/log" "$0/dev/log"; mount --rbind "$0/dev" /dev
  exec "$@"
"""
done = subprocess.run(["unshare", "-m", "sh", "-ec", script, *sys.argv[1:]],
                      stdout=subprocess.PIPE, text=True)
print(done.returncode)
print(done.stdout, end="")
print("LOG")
log.setblocking(False)
try:
    while True:
        print(log.recv(4096).decode())
except BlockingIOError:
    pass
`;

/** A copy of the image in which `damage` changed the contents of the files, which stand first. */
function damaged(image: string, damage: (contents: Buffer) => void): string {
  const copy = path.join(temporaryDirectory(), "image.sfs");
  const bytes = readFileSync(image);
  damage(bytes.subarray(96, Number(bytes.readBigUInt64LE(64)))); // up to the inode table
  writeFileSync(copy, bytes);
  return copy;
}

const users: [string, string[], () => string][] = [
  ["as root", [], temporaryDirectory],
  [
    "as a user",
    [
      "setpriv",
      `--reuid=${ordinaryUser().uid}`,
      `--regid=${ordinaryUser().gid}`,
      "--clear-groups",
      "--",
    ],
    userDirectory,
  ],
];

const lines = (name: string) =>
  Array.from({ length: 30_000 }, (_, i) => `${name} ${i * i}`).join("\n");

describe.each(users)("%s", (_title, become, homeOf) => {
  const check = skipUnless("root", "fuse", "userns", "python3", "mksquashfs");

  /** Starts a program where the log is ours. @returns its status, its output and the log's lines */
  const start = async (command: readonly string[]) => {
    const dir = temporaryDirectory();
    const program = path.join(dir, "log.py");
    writeFileSync(program, withLog);
    const { stdout, stderr, status } = await run("python3", [program, dir, ...become, ...command], {
      env: { ...process.env, HOME: homeOf(), FUSELAGE_MOUNT: "fuse" },
    });
    expect(status, stderr).toBe(0);
    const [output = "", log = ""] = stdout.split("LOG\n");
    const [code, ...shown] = output.trimEnd().split("\n");
    return { code: Number(code), shown, log: log.trimEnd().split("\n"), stderr };
  };

  const runner = () => {
    const copy = path.join(temporaryDirectory(), "fuselage");
    copyFileSync(runtimeFile, copy);
    chmodSync(copy, 0o755);
    return copy;
  };

  /** Reads these files of the image; each is "ok" or "error". */
  const read = (image: string, ...files: string[]) => {
    const script = `cd "$FUSELAGE_STATIC/a"
      for f in "$@"; do cat "$f" > /dev/null && echo ok || echo error; done`;
    return start([runner(), `--static=a:${image}`, "/bin/sh", "-c", script, "sh", ...files]);
  };

  check("a block of a file: an error of that file alone", async () => {
    const files = { one: lines("one"), two: lines("two") };
    const image = damaged(await imageOf(files, "-comp", "gzip", "-no-fragments"), (contents) =>
      contents.fill(0xff, 2000, 2100),
    );
    const { shown, log, stderr } = await read(image, "one", "two");
    expect(stderr).toMatch(/^(cat: one: Input\/output error\n)+$/);
    expect(shown).toEqual(["error", "ok"]);
    expect(log[0]).toMatch(
      /^<11>fuselage\[\d+\]: .*\/image\.sfs: \/one: a block does not decompress \(block at 96: .*\), failure 1$/,
    );
    expect(log.length).toBeLessThan(8); // the kernel tries again page by page
  });

  check("a file in folders beside folders, with a name that a terminal could mistake", async () => {
    const name = "lib/deep/er/esc\x1b[31m\nline";
    const files = { "a/b/c": "", "lib/deep/a/x": "", [name]: lines("two"), "z/z": "" };
    const image = damaged(await imageOf(files, "-comp", "gzip", "-no-fragments"), (contents) =>
      contents.fill(0xff, 2000, 2100),
    );
    const { shown, log } = await read(image, "a/b/c", "lib/deep/a/x", name);
    expect(shown).toEqual(["ok", "ok", "error"]);
    expect(log[0]).toContain("/image.sfs: /lib/deep/er/esc?[31m?line: a block does not decompress");
  });

  check("small files that share a block are named each", async () => {
    const files = { "x/first": "first\n".repeat(99), "y/second": "second\n".repeat(99) };
    const image = damaged(await imageOf(files, "-comp", "gzip"), (contents) => contents.fill(0xff));
    const { shown, log } = await read(image, "x/first", "y/second");
    expect(shown).toEqual(["error", "error"]);
    for (const file of ["x/first", "y/second"]) {
      expect(log.some((line) => line.includes(`/image.sfs: /${file}: a block does not`))).toBe(
        true,
      );
    }
  });

  check("a bundle's program that is killed for a damaged page of it", async () => {
    const tree = path.join(temporaryDirectory(), "tree");
    mkdirSync(path.join(tree, "bin"), { recursive: true });
    copyFileSync("/bin/bash", path.join(tree, "bin/app"));
    const image = damaged(await mksquashfs(tree, "-comp", "gzip"), (contents) =>
      contents.fill(0xff, contents.length >> 2),
    );
    const bundle = await bundleOf(image, { entry: "bin/app" });
    const { code, log } = await start([bundle, "-c", "echo started"]);
    expect(code).not.toBe(0);
    expect(log[0]).toMatch(/fuselage\[\d+\]: .*: \/bin\/app: a block does not decompress/);
    expect(log[0]).toContain(bundle);
  });
});
