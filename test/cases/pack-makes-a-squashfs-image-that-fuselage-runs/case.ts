import { execFileSync } from "node:child_process";
import { expect } from "vitest";
import { printerApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";
import { fuselage, run } from "../../support/process.ts";

export default {
  needs: ["userns", "fuse", "unsquashfs"],
  files: { ...printerApp, "app/link": { link: "bin/app" } },
  args: [
    "pack",
    "app",
    "-o",
    "out.sfs",
    "--compression",
    "gzip:6",
    "--block-size",
    "64K",
    "--json",
  ],
  async check(cwd, { stdout }) {
    expect(JSON.parse(stdout)).toMatchObject({
      output: `${cwd}/out.sfs`,
      format: "sfs",
      image: { compression: "gzip", level: 6, blockSize: 65536, files: 1 },
    });
    execFileSync("unsquashfs", ["-d", "there", "out.sfs"], { cwd, stdio: "ignore" });
    execFileSync("diff", ["-r", "--no-dereference", "app", "there"], { cwd });
    const started = await run(fuselage, ["--static=out.sfs", "--run", "bin/app", "--", "--x"], {
      cwd,
      env: { HOME: cwd },
    });
    expect(started).toMatchObject({ status: 0, stdout: "--x\n" });
  },
} satisfies Case;
