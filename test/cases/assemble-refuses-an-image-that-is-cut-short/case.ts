import { assembleArgs, changeArchive, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  async prepare(dir) {
    await packApp(dir);
    changeArchive(dir, (bytes) => bytes.subarray(0, 300));
  },
  args: assembleArgs(),
  code: "E_IMAGE_TRUNCATED",
  stderr: /app\.sfs: the image is cut short: expected a file of \d+ bytes, found 300 bytes/,
} satisfies Case;
