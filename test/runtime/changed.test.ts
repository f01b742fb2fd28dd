/**
 * Images that change while an app runs from them: what was read before stays, a new version that
 * takes the name changes nothing, and everything else is an I/O error, never a wrong byte. Of our
 * server; with a loop device the kernel reads whatever stands in the file. Damaged images:
 * damaged.test.ts.
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
import { isRoot, ordinaryUser } from "../support/process.ts";
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

/**
 * Reads "one" and says so, waits until `change` was made, reads both, and reports by name. What was read stays for as
 * long as the file is open: the kernel may forget another one at any time, and other tests make it.
 */
async function readAround(image: string, change: () => void): Promise<Record<string, string>> {
  const script = `
    cd "$FUSELAGE_STATIC/a"; exec 3<one; cat one > /dev/null; echo ready; read go
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
