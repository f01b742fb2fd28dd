import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "out", "--kind", "elv"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: /--kind .*expected auto, .*plain, found "elv"/,
} satisfies Case;
