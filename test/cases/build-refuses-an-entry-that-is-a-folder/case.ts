import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "out", "--entry", "bin"],
  code: "E_ENTRY_NOT_FILE",
  stderr: "bin",
} satisfies Case;
