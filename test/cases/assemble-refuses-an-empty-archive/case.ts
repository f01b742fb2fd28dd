import { assembleArgs } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  files: { "app.sfs": "" },
  args: assembleArgs(),
  code: "E_ARCHIVE_FORMAT",
  stderr: /found an empty file/,
} satisfies Case;
