import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle, bundleCommand } from "../../support/process.ts";

/** Takes a while to compress. */
const text = Array.from({ length: 100_000 }, (_, i) => `line ${(i * 7919) % 100_003}\n`).join("");

export default {
  files: { "app/text": text },
  args: ["pack", "app", "-o", "plain.sfs", "--no-cache"],
  async check(cwd) {
    const env = { XDG_CACHE_HOME: path.join(cwd, "cache") };
    const blocks = path.join(cwd, "cache/fuselage-bundle/blocks");
    const kept = () => (existsSync(blocks) ? readdirSync(blocks) : []);
    // Another one, where a build was over before it could be killed.
    do {
      rmSync(blocks, { recursive: true, force: true });
      const args = [bundleCommand, "pack", "app", "-o", "killed.sfs"];
      const options = { cwd, env: { ...process.env, ...env } };
      const build = spawn(process.execPath, args, { ...options, stdio: "ignore" });
      const ended = once(build, "exit");
      while (kept().length === 0 && build.exitCode === null) await sleep(5);
      build.kill("SIGKILL");
      await ended;
    } while (kept().some((name) => !name.endsWith(".tmp")));
    expect(kept()).toEqual([expect.stringMatching(/^\.bundle-[0-9a-f]{16}\.tmp$/)]);
    for (let i = 0; i < 2; i++) {
      await bundle(["pack", "app", "-o", "next.sfs"], { cwd, env });
      expect(readFileSync(`${cwd}/next.sfs`).equals(readFileSync(`${cwd}/plain.sfs`))).toBe(true);
      expect(kept().filter((name) => !name.endsWith(".tmp"))).toHaveLength(1);
    }
  },
} satisfies Case;
