import { randomBytes } from "node:crypto";
import { openSync, writeSync } from "node:fs";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "app/data": randomBytes(3 << 17).toString("hex") },
  async prepare(cwd) {
    const { stdout } = await bundle(["build", "app", "-o", "out", "--json"], { cwd });
    const { image } = JSON.parse(stdout);
    // In the middle of the file's blocks, which stand before the tables.
    writeSync(openSync(`${cwd}/out`, "r+"), Buffer.alloc(4096), 0, 4096, image.offset + 65536);
  },
  args: ["extract", "out"],
  code: "E_IMAGE_CORRUPT",
} satisfies Case;
