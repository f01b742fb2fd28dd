import { randomBytes } from "node:crypto";
import { truncateSync } from "node:fs";
import { packApp, printerApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  async prepare(dir) {
    await packApp(dir, { ...printerApp, "app/data": randomBytes(20_000) });
    truncateSync(`${dir}/app.sfs`, 8192);
  },
  args: ["inspect", "app.sfs"],
  code: "E_IMAGE_TRUNCATED",
  stderr: /app\.sfs: the image is cut short: expected a file of 2\d+ bytes, found 8192 bytes/,
} satisfies Case;
