import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["pack", "app", "-o", "app/out.zip"],
  code: "E_OUTPUT_INSIDE_INPUT",
  stderr: /app\/out\.zip/,
} satisfies Case;
