import type { Case } from "../../support/case.ts";

const sha256 = "ab".padEnd(64, "0");

export default {
  files: {
    dump: `/ dir 0755 0:0 - 1\n/x file 0644 0:0 5 1 sha256=${sha256}\n`,
    [`store/ab/${sha256.slice(2)}`]: "other",
  },
  args: ["pack", "--from-dump", "dump", "--objects", "store", "-o", "out.sfs"],
  code: "E_DUMP_OBJECT",
  stderr: "has other contents",
} satisfies Case;
