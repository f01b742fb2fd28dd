import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["pack", "app", "-o", "app.sfs", "--objects", "store"],
  code: "E_OPTION_CONFLICT",
  status: 2,
  stderr: /--objects without --from-dump/,
} satisfies Case;
