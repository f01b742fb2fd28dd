import { type Case, program, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, other: program },
  args: ["build", "app", "-o", "out", "--entry", "../other"],
  code: "E_ENTRY_OUTSIDE",
  stderr: "../other",
} satisfies Case;
