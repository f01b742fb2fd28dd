import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["diff", "app", "nowhere"],
  code: "E_INPUT_MISSING",
  stderr: /nowhere/,
} satisfies Case;
