import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "out", "--entry", "bin/gone"],
  code: "E_ENTRY_MISSING",
  stderr: "bin/gone",
} satisfies Case;
