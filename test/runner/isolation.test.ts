/**
 * What the caller made is parsed where a fault gives nobody root: in setuid-root mode by processes
 * that have given root up for ever.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect } from "vitest";
import { ordinaryUser } from "../support/process.ts";
import { checkOf, imageOf, runnerOf, setuidRoot as way } from "../support/runner.ts";
import { userDirectory } from "../support/temporary.ts";
import { makeZip } from "../support/zip.ts";

const { uid, gid } = ordinaryUser();

/** Lines "Uid:" of the direct children of a process, real to file system; none when it is gone. */
function uidsOfChildren(pid: number): string[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return children
      .split(" ")
      .filter(Boolean)
      .map((child) => {
        const status = readFileSync(`/proc/${child}/status`, "utf8");
        return /^Uid:\t(.*)$/m.exec(status)?.[1] ?? "";
      });
  } catch {
    return [];
  }
}

/** Starts with an archive that takes a while, and notes who its children were, as far as this process had a turn meanwhile. */
async function watchChildren(args: string[]): Promise<Set<string>> {
  const env = { PATH: process.env["PATH"], HOME: userDirectory() };
  const child = spawn(runnerOf(way), [...args, "true"], { env, uid, gid, stdio: "ignore" });
  const ended = once(child, "close");
  const seen = new Set<string>();
  while (child.exitCode === null && child.signalCode === null) {
    for (const line of uidsOfChildren(child.pid as number)) seen.add(line);
    await nextTurn();
  }
  await ended;
  expect(child.exitCode).toBe(0);
  return seen;
}

const dropped = `${uid}\t${uid}\t${uid}\t${uid}`;

checkOf(way)("a zip archive", async () => {
  const zip = path.join(userDirectory(), "big.zip");
  const entries = Array.from({ length: 20 }, (_, i) => ({
    name: `file-${i}`,
    content: Buffer.alloc(4 << 20, `${i}`),
  }));
  writeFileSync(zip, makeZip(entries));
  await expect.poll(() => watchChildren(["-d", `a:${zip}`])).toContain(dropped);
  await expect.poll(() => watchChildren(["--cache-static", "-s", `a:${zip}`])).toContain(dropped);
});

checkOf(way, "mksquashfs")("the extraction of an image", async () => {
  const image = await imageOf({ big: Buffer.alloc(60 << 20, "0123456789") });
  const args = ["--mount-type=extract", "-s", `a:${image}`];
  await expect.poll(() => watchChildren(args)).toContain(dropped);
});
