import { execFileSync } from "node:child_process";
import { chmodSync, lstatSync, readlinkSync } from "node:fs";
import { expect } from "vitest";
import { printerApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";
import { fuselage, run } from "../../support/process.ts";

export default {
  needs: ["userns", "fuse", "unzip"],
  files: {
    ...printerApp,
    "app/grüße": "a name beyond ASCII",
    "app/empty": "",
    "app/folder": { folder: true },
    "app/link": { link: "bin/app" },
    "app/text": "text ".repeat(50_000),
  },
  prepare: (dir) => chmodSync(`${dir}/app/text`, 0o640),
  args: ["pack", "app", "-o", "out.zip"],
  stdout: /^out\.zip: .* from .* in 4 files/,
  async check(cwd) {
    execFileSync("unzip", ["-q", "out.zip", "-d", "there"], { cwd });
    execFileSync("diff", ["-r", "--no-dereference", "app", "there"], { cwd });
    expect(lstatSync(`${cwd}/there/text`).mode & 0o777).toBe(0o640);
    expect(readlinkSync(`${cwd}/there/link`)).toBe("bin/app");
    const started = await run(fuselage, ["--dynamic=out.zip", "--run", "link", "--", "a b"], {
      cwd,
      env: { HOME: cwd },
    });
    expect(started).toMatchObject({ status: 0, stdout: "a b\n" });
  },
} satisfies Case;
