/**
 * Whatever the addon's threads are at (reading directories, listing, extracting, comparing contents),
 * a signal ends the builder soon, and nothing is left; an aborted AbortSignal stops them too. Where a
 * disk does not answer is where that is hardest: here one is made of a FUSE server that is stopped.
 */
import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pack } from "../../builder/api/pack.ts";
import { treeFromDirectory } from "../../builder/input/add-directory.ts";
import { openImage } from "../../builder/squashfs/image-reader.ts";
import { craftImage } from "../support/crafted-image.ts";
import { leftovers } from "../support/leftovers.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { bundleCommand, fuselage, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Far more than a signal may take: the threads that do not answer, and would not for ever, are waited for for a second. */
const SOON = 60_000;

describe("a disk that does not answer", () => {
  const needs = ["root", "fuse"] as const;
  let mounted: string;
  let server: number | undefined;

  beforeAll(async () => {
    if (needs.some((need) => missing(need) !== undefined)) return;
    const base = temporaryDirectory();
    const inner = path.join(base, "inner");
    mkdirSync(inner);
    // Its tables are far from its first bytes.
    writeFileSync(path.join(inner, "noise"), randomBytes(16 << 20));
    const outer = path.join(base, "outer");
    mkdirSync(path.join(outer, "dir"), { recursive: true });
    writeFileSync(path.join(outer, "dir/file"), "x");
    const plain = { compression: "none", xattrs: false } as const;
    await pack({ input: inner, output: path.join(outer, "inner.sfs"), ...plain });
    const image = path.join(base, "image.sfs");
    await pack({ input: outer, output: image, ...plain });
    mounted = path.join(base, "mounted");
    mkdirSync(mounted);
    const args = [`--mount=${image}`, "--mount-type=fuse", mounted];
    expect(await run(fuselage, args)).toMatchObject({ status: 0 });
    const line = leftovers().processes.find((one) => one.includes(mounted));
    server = Number(line?.split(" ")[0]);
    // What is looked at before the threads begin is known, all else is asked for.
    statSync(path.join(mounted, "dir"));
    const fd = openSync(path.join(mounted, "inner.sfs"), "r");
    readSync(fd, Buffer.alloc(8192), 0, 8192, 0);
    closeSync(fd);
    process.kill(server, "SIGSTOP");
  });
  afterAll(() => {
    if (server === undefined) return;
    process.kill(server, "SIGCONT");
    execFileSync("umount", [mounted]);
  });

  /** Whether a thread waits for the server: for a reply, or for a page of a file. */
  function waits(pid: number): boolean {
    const places = /fuse|request_wait|folio_wait|wait_on_page/;
    return readdirSync(`/proc/${pid}/task`).some((task) => {
      try {
        return places.test(readFileSync(`/proc/${pid}/task/${task}/wchan`, "utf8"));
      } catch {
        return false;
      }
    });
  }

  const commands: Record<string, (cwd: string) => string[]> = {
    "reading directories": () => ["pack", path.join(mounted, "dir"), "-o", "out.sfs"],
    "listing an image": () => ["dump", path.join(mounted, "inner.sfs")],
    "extracting an image": () => ["extract", path.join(mounted, "inner.sfs"), "-d", "out"],
    "building from an image": () => [
      ...["build", path.join(mounted, "inner.sfs"), "--entry", "noise"],
      ...["--compression", "gzip", "-o", "out.run"],
    ],
  };

  for (const [what, args] of Object.entries(commands)) {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      skipUnless(...needs)(`${what} ends by ${signal} and leaves nothing`, async () => {
        const cwd = temporaryDirectory();
        const env = { ...process.env, TMPDIR: cwd };
        const command = [bundleCommand, ...args(cwd)];
        const child = spawn(process.execPath, command, { cwd, env, stdio: "ignore" });
        const ended = new Promise<string | null>((resolve) => {
          child.on("close", (_, by) => resolve(by));
        });
        const pid = child.pid ?? 0;
        for (let tries = 0; child.exitCode === null && !waits(pid); tries++) {
          if (tries > 5000) child.kill("SIGKILL");
          await sleep(20);
        }
        expect(child.exitCode).toBeNull();
        child.kill(signal);
        const late = sleep(SOON).then(() => {
          child.kill("SIGKILL");
          return "too late";
        });
        expect(await Promise.race([ended, late])).toBe(signal);
        expect(readdirSync(cwd)).toEqual([]);
      });
    }
  }
});

describe("an AbortSignal", () => {
  const reason = new Error("enough");

  /** Aborts work soon after its begin; says how long it went on, ms. */
  async function aborted(work: (signal: AbortSignal) => Promise<unknown>, after: number) {
    const controller = new AbortController();
    const done = work(controller.signal);
    done.catch(() => {});
    await sleep(after);
    const began = performance.now();
    controller.abort(reason);
    await expect(done).rejects.toBe(reason);
    return performance.now() - began;
  }

  test("stops the comparison of large files", async () => {
    const dir = temporaryDirectory();
    mkdirSync(path.join(dir, "in"));
    // Of one size, so that all of both is read: two minutes of it, and more on a slow machine.
    for (const name of ["a", "b"]) {
      writeFileSync(path.join(dir, "in", name), name);
      truncateSync(path.join(dir, "in", name), 256 * 2 ** 30);
    }
    const output = path.join(dir, "out.sfs");
    const input = path.join(dir, "in");
    expect(await aborted((signal) => pack({ input, output, signal }), 300)).toBeLessThan(30_000);
    expect(readdirSync(dir)).toEqual(["in"]);
  });

  test("stops a listing", async () => {
    const count = 30_000;
    const names = Array.from(
      { length: count },
      (_, i) => [`${100_000 + i}`, `f${i % 100}`] as const,
    );
    const inodes = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [
        `f${i}`,
        { type: "file" as const, number: i + 1, links: count },
      ]),
    );
    const top = { type: "directory" as const, number: 101, listing: "top" };
    const crafted = { inodes: { ...inodes, top }, listings: { top: names }, root: "top" };
    const image = path.join(temporaryDirectory(), "image.sfs");
    writeFileSync(image, craftImage(crafted));
    const fd = openSync(image, "r");
    const reader = openImage(fd, 0, image);
    expect(await reader.list()).toHaveLength(count + 1);
    await aborted((signal) => reader.list(signal), 0);
    expect(await reader.list()).toHaveLength(count + 1); // It is as good as before.
    reader.close();
    closeSync(fd);
  });

  test("stops an extraction, and another one may follow", async () => {
    const dir = temporaryDirectory();
    const input = path.join(dir, "in");
    mkdirSync(input);
    // A hole of 64 GiB: its blocks are gone through one by one.
    writeFileSync(path.join(input, "hole"), "x");
    truncateSync(path.join(input, "hole"), 2 ** 36);
    writeFileSync(path.join(input, "small"), "small");
    const image = path.join(dir, "image.sfs");
    await pack({ input, output: image });
    const fd = openSync(image, "r");
    const reader = openImage(fd, 0, image);
    for (const name of ["one", "two"]) {
      const to = path.join(dir, name);
      mkdirSync(to);
      const took = await aborted((signal) => reader.extract(to, { signal }), 5);
      expect(took).toBeLessThan(30_000);
    }
    expect((await reader.list()).map((entry) => entry.path)).toEqual(["", "hole", "small"]);
    reader.close();
    closeSync(fd);
  });

  test("stops the reading of directories", async () => {
    const dir = temporaryDirectory();
    for (let i = 0; i < 300; i++) {
      mkdirSync(path.join(dir, `${i}`));
      for (let j = 0; j < 30; j++) writeFileSync(path.join(dir, `${i}`, `${j}`), "");
    }
    await aborted((signal) => treeFromDirectory(dir, { signal }), 0);
    const digest = createHash("sha256");
    for (const { path: one } of (await treeFromDirectory(dir)).walk()) digest.update(`${one}\n`);
    const again = createHash("sha256");
    for (const { path: one } of (await treeFromDirectory(dir)).walk()) again.update(`${one}\n`);
    expect(again.digest("hex")).toBe(digest.digest("hex"));
  });

  test("that is aborted before the begin lets nothing begin", async () => {
    const signal = AbortSignal.abort(reason);
    const dir = temporaryDirectory();
    writeFileSync(path.join(dir, "file"), "");
    await expect(treeFromDirectory(dir, { signal })).rejects.toBe(reason);
  });
});
