import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["pack", "app", "-o", "out.tar"],
  code: "E_OPTION_MISSING",
  status: 2,
  stderr: /--format is missing: "out\.tar" ends in none of \.sfs/,
} satisfies Case;
