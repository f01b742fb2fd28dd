import { readFileSync, statSync } from "node:fs";
import { expect } from "vitest";
import { printerApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";
import { bundle, fuselage, run } from "../../support/process.ts";

export default {
  needs: ["userns", "fuse"],
  files: { ...printerApp, "bin/fuselage": { link: fuselage } },
  args: [
    "pack",
    "app",
    "-o",
    "app.b64",
    "--shebang",
    "/usr/bin/env -S fuselage --run bin/app --static",
  ],
  async check(cwd) {
    const text = readFileSync(`${cwd}/app.b64`, "latin1");
    const [first, second, ...lines] = text.trimEnd().split("\n");
    expect(first).toBe("#!/usr/bin/env -S fuselage --run bin/app --static");
    expect(second).toMatch(/^# made by bundle pack: /);
    expect(lines.slice(0, -1).every((line) => line.length === 76)).toBe(true);
    expect(statSync(`${cwd}/app.b64`).mode & 0o100).toBe(0o100);
    await bundle(["pack", "app", "-o", "app.sfs"], { cwd });
    const image = Buffer.from(lines.join(""), "base64");
    expect(image.equals(readFileSync(`${cwd}/app.sfs`))).toBe(true);
    const env = { HOME: cwd, PATH: `${cwd}/bin:${process.env["PATH"]}` };
    const started = await run(`${cwd}/app.b64`, ["one", "two"], { cwd, env });
    expect(started).toMatchObject({ status: 0, stdout: "one\ntwo\n" });
  },
} satisfies Case;
