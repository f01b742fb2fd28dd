import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { assembleArgs, printerApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";
import { run } from "../../support/process.ts";

export default {
  needs: ["mksquashfs"],
  files: printerApp,
  prepare(cwd) {
    const args = ["app", "app.sfs", "-nopad", "-comp", "gzip", "-quiet", "-no-progress"];
    execFileSync("mksquashfs", args, { cwd });
  },
  args: [...assembleArgs().slice(0, 3), "--json", ...assembleArgs().slice(3)],
  async check(cwd, { stdout }) {
    const { image, size } = JSON.parse(stdout);
    const [file, archive] = [readFileSync(`${cwd}/out.run`), readFileSync(`${cwd}/app.sfs`)];
    expect(archive.length % 4096).not.toBe(0);
    const appended = file.subarray(image.offset);
    expect([appended.length % 4096, file.length]).toEqual([0, size]);
    expect(appended.subarray(0, archive.length).equals(archive)).toBe(true);
    expect(appended.subarray(archive.length).every((byte) => byte === 0)).toBe(true);
    const started = await run(`${cwd}/out.run`, ["one", "--two"], { env: { HOME: cwd } });
    expect(started).toMatchObject({ status: 0, stdout: "one\n--two\n" });
  },
} satisfies Case;
