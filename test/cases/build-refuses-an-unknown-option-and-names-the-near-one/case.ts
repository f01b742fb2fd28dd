import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,

  args: ["build", "app", "-o", "out", "--compresion", "none"],
  code: "E_OPTION_UNKNOWN",
  status: 2,
  stderr: "Did you mean --compression?",
} satisfies Case;
