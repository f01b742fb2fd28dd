import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,

  args: ["build", "app", "-o", "app/bin/out"],
  code: "E_OUTPUT_INSIDE_INPUT",
} satisfies Case;
