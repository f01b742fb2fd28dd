import { assembleArgs } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  files: { "app.sfs": { folder: true } },
  args: assembleArgs(),
  code: "E_ARCHIVE_FORMAT",
  stderr: /found a directory/,
} satisfies Case;
