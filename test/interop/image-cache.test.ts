/** Images of a registry where the cache of blobs cannot take them: nothing fails for that. */
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ImageRegistry } from "../support/image-registry.ts";
import { skipUnless } from "../support/needs.ts";
import { bundleCommand, isRoot, ordinaryUser, run, withoutNotices } from "../support/process.ts";
import { tarOf } from "../support/tar.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let registry: ImageRegistry;
let dir: string;
let images: string;

/** Two of them are more than a disk of 1 MiB holds, and each is less. */
const layers = [700, 800].map((kib, i) =>
  tarOf({ name: `file-${i}`, data: randomBytes(kib << 10) }),
);

beforeAll(async () => {
  registry = await new ImageRegistry().start();
  registry.putImage("1", ...layers);
});
afterAll(() => registry.close());

beforeEach(() => {
  dir = temporaryDirectory();
  images = `${dir}/cache/fuselage-bundle/images`;
});

const words = () => [
  bundleCommand,
  "build",
  `docker://${registry.host}/app:1`,
  "-o",
  `${dir}/out.run`,
];
const env = () => ({ HOME: dir, XDG_CACHE_HOME: `${dir}/cache` });

/** As whoever tests; the script mounts what the cache is on, and then runs the build. */
async function withMount(script: string) {
  mkdirSync(images, { recursive: true, mode: 0o700 });
  const all = `${script}; exec "$@"`;
  const given = ["--mount", "sh", "-ec", all, images, process.execPath, ...words()];
  return withoutNotices(await run("unshare", given, { env: env() }));
}

async function build(user = {}) {
  const outcome = await run(process.execPath, words(), { env: env(), ...user });
  return withoutNotices(outcome);
}

const warned = (stderr: string) => stderr.match(/\[W_CACHE_UNUSABLE\]/g)?.length ?? 0;

describe("the cache of images", () => {
  const root = skipUnless("root");

  root("on a disk that becomes full is done without, with one word", async () => {
    const full = await withMount('mount -t tmpfs -o size=1m,mode=700 none "$0"');
    expect(full).toMatchObject({ status: 0 });
    expect(warned(full.stderr)).toBe(1);
    expect(full.stderr).toContain(`${images}: no space left`);
    const whole = await build();
    expect(whole).toMatchObject({ status: 0 });
    expect(warned(whole.stderr)).toBe(0);
    expect(readdirSync(images).filter((name) => name.startsWith("sha256-"))).toHaveLength(4);
  });

  root("on a disk without a byte, or that may only be read, is done without", async () => {
    const none = await withMount(
      'mount -t tmpfs -o size=64k,mode=700 none "$0"; head -c 1m /dev/zero > "$0/x" 2>/dev/null || true',
    );
    expect(none).toMatchObject({ status: 0 });
    expect(warned(none.stderr)).toBe(1);
    rmSync(`${dir}/out.run`);
    const ro = await withMount('mount -t tmpfs -o ro,mode=700 none "$0"');
    expect(ro).toMatchObject({ status: 0 });
    expect(warned(ro.stderr)).toBe(1);
    expect(ro.stderr).toContain(`${images}: the file system is read-only`);
  });

  root("that was filled, and may only be read now, gives what it has", async () => {
    expect(await build()).toMatchObject({ status: 0 });
    const before = registry.count("GET", "blobs/");
    const ro = await withMount('mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"');
    expect(ro).toMatchObject({ status: 0 });
    expect(registry.count("GET", "blobs/")).toBe(before);
    expect(warned(ro.stderr)).toBe(0);
  });

  root("that is more than its bound allows is emptied at the end, and not before", async () => {
    // A tenth of it is less than either layer.
    const small = await withMount('mount -t tmpfs -o size=4m,mode=700 none "$0"');
    expect(small).toMatchObject({ status: 0 });
    expect(warned(small.stderr)).toBe(0);
  });

  root("of somebody else is left alone", async () => {
    mkdirSync(images, { recursive: true, mode: 0o700 });
    chownSync(images, 1000, 1000);
    const outcome = await build();
    expect(outcome).toMatchObject({ status: 0 });
    expect(warned(outcome.stderr)).toBe(1);
    expect(readdirSync(images)).toEqual([]);
  });

  test.each([
    ["that may not be written to", 0o500],
    ["that may not be entered", 0o000],
  ])("%s is done without", async (_, mode) => {
    const user = isRoot ? ordinaryUser() : {};
    dir = userDirectory();
    images = `${dir}/cache/fuselage-bundle/images`;
    mkdirSync(images, { recursive: true, mode: 0o700 });
    if (isRoot) {
      for (const at of ["cache", "cache/fuselage-bundle", "cache/fuselage-bundle/images"]) {
        chownSync(`${dir}/${at}`, 1000, 1000);
      }
    }
    chmodSync(images, mode);
    const outcome = await build(user);
    chmodSync(images, 0o700);
    expect(outcome).toMatchObject({ status: 0 });
    expect(warned(outcome.stderr)).toBe(1);
    expect(readdirSync(images)).toEqual([]);
    expect(existsSync(`${dir}/out.run`)).toBe(true);
  });
});
