import { assembleArgs, changeArchive, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  async prepare(dir) {
    await packApp(dir);
    changeArchive(dir, (bytes) => {
      bytes.writeUInt16LE(3, 28);
      return bytes;
    });
  },
  args: assembleArgs(),
  code: "E_IMAGE_UNSUPPORTED",
  stderr: /app\.sfs/,
} satisfies Case;
