import { assembleArgs } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  files: { "app.sfs": "PK\x03\x04 and so on" },
  args: assembleArgs(),
  code: "E_ARCHIVE_FORMAT",
  stderr: /expected a squashfs image, found a zip file[\s\S]*bundle pack/,
} satisfies Case;
