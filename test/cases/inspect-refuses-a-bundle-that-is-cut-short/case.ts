import { randomBytes } from "node:crypto";
import { truncateSync } from "node:fs";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "app/data": randomBytes(20_000) },
  async prepare(cwd) {
    const { stdout } = await bundle(["build", "app", "-o", "out", "--json"], { cwd });
    truncateSync(`${cwd}/out`, JSON.parse(stdout).size - 4096);
  },
  args: ["inspect", "out"],
  code: "E_IMAGE_TRUNCATED",
} satisfies Case;
