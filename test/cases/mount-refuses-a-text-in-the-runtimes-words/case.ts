import type { Case } from "../../support/case.ts";

export default {
  files: { "notes.txt": "no, not an archive\n", dir: { folder: true } },
  args: ["mount", "notes.txt", "dir", "--json"],
  code: "E_ARCHIVE_FORMAT",
  stdout: /"code": "E_ARCHIVE_FORMAT"/,
  stderr: /notes\.txt: neither zip nor squashfs nor ELF nor base64 text/,
} satisfies Case;
