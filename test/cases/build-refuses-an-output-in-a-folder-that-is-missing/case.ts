import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,

  args: ["build", "app", "-o", "gone/out"],
  code: "E_OUTPUT_FAILED",
  stderr: /gone.*\n.*Make the folder that is missing/,
} satisfies Case;
