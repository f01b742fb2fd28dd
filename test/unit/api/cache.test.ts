/** The user's cache, cleared while others put something into it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { cacheInfo, clearCache } from "../../../builder/api/cache.ts";
import { BlobCache } from "../../../builder/oci/blob-cache.ts";
import { descriptorOf } from "../../../builder/oci/store.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

let home: string;

beforeEach(() => {
  home = temporaryDirectory();
  vi.stubEnv("XDG_CACHE_HOME", home);
});

afterEach(() => {
  vi.unstubAllEnvs();
});

const all = () => path.join(home, "fuselage-bundle");

/** Puts files into a folder, which is made as often as it is gone, until it is killed. */
const PUT = `
const fs = require("node:fs");
const [dir] = process.argv.slice(1);
for (let i = 0; ; i++) {
  try {
    fs.mkdirSync(dir, { recursive: true });
    for (let k = 0; k < 50; k++) fs.writeFileSync(dir + "/file-" + i + "-" + k, "");
  } catch {}
  if (i === 0) console.log("at work");
}
`;

test("is cleared as often as it is filled meanwhile", async () => {
  const filling = spawn(process.execPath, ["-e", PUT, path.join(all(), "blocks")]);
  try {
    await once(filling.stdout, "data");
    for (let i = 0; i < 200; i++) await clearCache();
  } finally {
    filling.kill("SIGKILL");
    await once(filling, "close");
  }
  await clearCache();
  expect(await cacheInfo()).toMatchObject({ bytes: 0 });
  expect(readdirSync(all())).toEqual([]);
});

test("is cleared by several at once, of what one left that was killed, too", async () => {
  for (const part of ["blocks", "node/entry", ".bundle-0123456789abcdef.tmp/node/entry"]) {
    mkdirSync(path.join(all(), part), { recursive: true });
    for (let i = 0; i < 100; i++) writeFileSync(path.join(all(), part, `file-${i}`), "x");
  }
  await Promise.all([clearCache(), clearCache(), clearCache()]);
  expect(readdirSync(all())).toEqual([]);
});

test("of images goes on as an empty one, without a word", async () => {
  const dir = path.join(all(), "images");
  const told: string[] = [];
  const cache = new BlobCache(dir, (what) => told.push(what));
  const bytes = Buffer.from("blob");
  const descriptor = descriptorOf("application/octet-stream", bytes);
  const fetch = async (meanwhile: () => void) => {
    const blob = await cache.create(descriptor.digest);
    await blob.write(bytes, 0);
    meanwhile();
    await blob.publish();
    await blob.end();
    expect((await blob.file.read(Buffer.alloc(4), 0, 4, 0)).buffer).toEqual(bytes);
    await blob.file.close();
  };
  // While it is fetched, and before.
  await fetch(() => rmSync(dir, { recursive: true }));
  expect(await cache.take(descriptor)).toBeUndefined();
  await fetch(() => {});
  const kept = await cache.take(descriptor);
  expect(kept).toBeDefined();
  await kept?.close();
  expect(told).toEqual([]);
  cache.close();
});
