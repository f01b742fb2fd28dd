import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,

  args: ["build", "app", "-o", "out", "--exclude", "*"],
  code: "E_INPUT_EMPTY",
} satisfies Case;
