import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,

  env: { SOURCE_DATE_EPOCH: "yesterday" },
  args: ["build", "app", "-o", "out"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: "SOURCE_DATE_EPOCH",
} satisfies Case;
