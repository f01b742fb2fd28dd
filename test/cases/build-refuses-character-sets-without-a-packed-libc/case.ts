import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "out", "--libc", "host", "--gconv", "SJIS"],
  code: "E_OPTION_CONFLICT",
  status: 2,
  stderr: /--gconv is for a libc that is packed, and --libc host packs none/,
} satisfies Case;
