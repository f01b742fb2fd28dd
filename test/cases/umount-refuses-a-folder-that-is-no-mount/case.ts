import type { Case } from "../../support/case.ts";

export default {
  files: { dir: { folder: true } },
  args: ["umount", "dir"],
  code: "E_UMOUNT",
  stderr: "dir: nothing is mounted there",
} satisfies Case;
