import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "out", "--entry", "/bin/sh"],
  code: "E_ENTRY_OUTSIDE",
  stderr: "/bin/sh",
} satisfies Case;
