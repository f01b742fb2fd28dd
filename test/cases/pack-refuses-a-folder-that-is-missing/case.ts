import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["pack", "gone", "-o", "out.zip"],
  code: "E_INPUT_MISSING",
  stderr: /gone/,
} satisfies Case;
