import type { Case } from "../../support/case.ts";

export default {
  files: { dump: "/ dir 0755 0:0 - 1\n/bin dir 0755 0:0 - 1\n/bin/x file 0999 0:0 0 1\n" },
  args: ["pack", "--from-dump", "dump", "-o", "out.sfs"],
  code: "E_DUMP_INVALID",
  stderr: 'dump:3: its mode is "0999"',
} satisfies Case;
