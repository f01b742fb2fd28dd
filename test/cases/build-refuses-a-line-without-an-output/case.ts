import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,

  args: ["build", "app"],
  code: "E_OPTION_MISSING",
  status: 2,
} satisfies Case;
