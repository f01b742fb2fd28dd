/**
 * Images that change while an app runs from them, and images that are damaged: what was read before
 * stays, a new version that takes the name changes nothing, and everything else is an I/O error and
 * a line in the system's log, never a wrong byte. Of our server; with a loop device the kernel reads
 * whatever stands in the file.
 */
import { spawn } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { beforeAll, expect } from "vitest";
import { mksquashfs, runtimeFile } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { isRoot, ordinaryUser, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const check = skipUnless("fuse", "userns", "mksquashfs");
const text = (name: string) =>
  Array.from({ length: 30_000 }, (_, i) => `${name} ${i * i}`).join("\n");
let sound: string;
let runner: string;
let right: Record<string, string>; // what a sound image gives

beforeAll(async () => {
  const tree = path.join(temporaryDirectory(), "tree");
  mkdirSync(tree);
  for (const name of ["one", "two"]) writeFileSync(path.join(tree, name), text(name));
  // A block or more each, none shared, so that reading one loads nothing of the other.
  sound = await mksquashfs(tree, "-comp", "gzip", "-no-fragments");
  runner = path.join(temporaryDirectory(), "fuselage");
  copyFileSync(runtimeFile, runner);
  chmodSync(runner, 0o755);
});

/** A copy of the image that may be changed. */
function copyOf(image: string): string {
  const copy = path.join(temporaryDirectory(), "image.sfs");
  copyFileSync(image, copy);
  chmodSync(copy, 0o644);
  utimesSync(copy, 1e9, 1e9);
  return copy;
}

/** Reads "one" and says so, waits until `change` was made, reads both, and reports by name. */
async function readAround(image: string, change: () => void): Promise<Record<string, string>> {
  const script = `
    cd "$FUSELAGE_STATIC/a"; cat one > /dev/null; echo ready; read go
    for name in one two; do
      sum=$(md5sum < $name 2>/dev/null) || sum=error; echo "$name $sum"
    done`;
  const child = spawn(runner, [`--static=a:${image}`, "/bin/sh", "-c", script], {
    env: { ...process.env, HOME: userDirectory(), FUSELAGE_MOUNT: "fuse" },
    stdio: ["pipe", "pipe", "inherit"],
    ...(isRoot ? ordinaryUser() : {}),
  });
  const seen: Record<string, string> = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const [name = "", sum = ""] = line.split(" ");
    seen[name] = sum;
    if (name === "ready") {
      change();
      child.stdin.end("\n");
    }
  }
  return seen;
}

check("a sound image is read", async () => {
  right = await readAround(sound, () => {});
  expect(right["one"]).toMatch(/^[0-9a-f]{32}$/);
  expect(right["two"]).toMatch(/^[0-9a-f]{32}$/);
  expect(right["one"]).not.toBe(right["two"]);
});

check("replaced by rename: the version that was started goes on", async () => {
  const image = copyOf(sound);
  const change = () => {
    writeFileSync(`${image}.new`, "something else");
    renameSync(`${image}.new`, image);
  };
  expect(await readAround(image, change)).toEqual(right);
});

check("cut short: what was read stays, the rest is an error", async () => {
  const image = copyOf(sound);
  const seen = await readAround(image, () => truncateSync(image, 4096));
  expect(seen).toEqual({ ...right, two: "error" });
});

check("overwritten by an image of the same size: an error, not the other's bytes", async () => {
  const image = copyOf(sound);
  const bytes = readFileSync(image);
  // Stored contents of another app would decompress too; zeros stand for them.
  const seen = await readAround(image, () => writeFileSync(image, Buffer.alloc(bytes.length)));
  expect(seen).toEqual({ ...right, two: "error" });
});

check(
  "written to and put back: still an error, for nobody knows what was there between",
  async () => {
    const image = copyOf(sound);
    const seen = await readAround(image, () => writeFileSync(image, readFileSync(sound)));
    expect(statSync(image).size).toBe(statSync(sound).size);
    expect(seen).toEqual({ ...right, two: "error" });
  },
);

check("appended to: an error as well", async () => {
  const image = copyOf(sound);
  expect(await readAround(image, () => appendFileSync(image, "x"))).toEqual({
    ...right,
    two: "error",
  });
});

skipUnless(
  "root",
  "fuse",
  "python3",
  "mksquashfs",
)("a damaged block is an error of that file alone, and a line in the system's log", async () => {
  const dir = temporaryDirectory();
  const image = copyOf(sound);
  const bytes = readFileSync(image);
  bytes.fill(0xff, 96 + 2000, 96 + 2100); // in the first block, which is one of "one"
  writeFileSync(image, bytes);
  const program = path.join(dir, "log.py");
  writeFileSync(
    program,
    `
import os, socket, subprocess, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(sys.argv[1] + "/log")
script = """
  mkdir "$0/dev"; mount -t tmpfs dev "$0/dev"
  for f in null fuse log; do : > "$0/dev/$f"; done
  for f in null fuse; do mount --bind /dev/$f "$0/dev/$f"; done
  mount --bind "$0/log" "$0/dev/log"; mount --rbind "$0/dev" /dev
  exec "$@"
"""
done = subprocess.run(["unshare", "-m", "sh", "-ec", script, *sys.argv[1:]],
                      stdout=subprocess.PIPE, text=True)
print(done.stdout, end="")
log.setblocking(False)
try:
    while True:
        print(log.recv(4096).decode())
except BlockingIOError:
    pass
`,
  );
  const script =
    'cd "$FUSELAGE_STATIC/a"; for f in one two; do cat $f > /dev/null && echo $f ok || echo $f error; done';
  const args = [program, dir, runner, `--static=a:${image}`, "/bin/sh", "-c", script];
  const { stdout, stderr, status } = await run("python3", args, {
    env: { ...process.env, HOME: dir, FUSELAGE_MOUNT: "fuse" },
  });
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: expect.stringMatching(/^(cat: one: Input\/output error\n)+$/),
  });
  const [first, second, ...lines] = stdout.trim().split("\n");
  expect([first, second]).toEqual(["one error", "two ok"]);
  expect(lines[0]).toMatch(
    /^<11>fuselage\[\d+\]: .*image\.sfs: a block does not decompress \(block at 96: .*\), failure 1$/,
  );
  expect(lines.length).toBeLessThan(8); // the kernel tries again page by page
});
