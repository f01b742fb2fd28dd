import type { Case } from "../../support/case.ts";

export default {
  files: { "a.tar.bz2": "BZh91AY&SY" },
  args: ["pack", "a.tar.bz2", "-o", "out.sfs"],
  code: "E_ARCHIVE_FORMAT",
  stderr: /found bzip2[\s\S]*bzip2 -dc/,
} satisfies Case;
