import { chmodSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "app/gone": "x", "app/d/file": "one", "app/link": { link: "gone" } },
  async prepare(cwd) {
    const { rmSync, writeFileSync, symlinkSync } = await import("node:fs");
    await bundle(["build", "app", "-o", "old"], { cwd });
    rmSync(`${cwd}/app/gone`);
    writeFileSync(`${cwd}/app/new file`, "");
    writeFileSync(`${cwd}/app/d/file`, "three");
    chmodSync(`${cwd}/app/bin/app`, 0o700);
    rmSync(`${cwd}/app/link`);
    symlinkSync("d/file", `${cwd}/app/link`);
    await bundle(
      ["build", "app", "-o", "new", "--arg=ö", "--compression", "gzip", "--name", "app"],
      { cwd },
    );
  },
  args: ["diff", "old", "new", "--no-digests"],
  status: 1,
  async check(cwd, { stdout }) {
    const json = await bundle(["diff", "old", "new", "--json"], { cwd });
    expect(JSON.parse(json.stdout).facts).toContainEqual({ key: "args", before: [], after: ["ö"] });
    expect(stdout.trim().split("\n")).toEqual([
      '~ args: [] -> ["ö"]',
      "~ compression: zstd -> gzip",
      expect.stringMatching(/^~ imageBytes: \d+ -> \d+$/),
      "~ /bin/app: mode 0755 -> 0700",
      "~ /d/file: size 3 -> 5",
      "- /gone file 0644 0:0 1 315532800",
      "~ /link: target gone -> d/file",
      "+ /new\\x20file file 0644 0:0 0 315532800",
    ]);
  },
} satisfies Case;
