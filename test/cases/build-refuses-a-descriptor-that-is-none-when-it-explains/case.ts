import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "--explain", "--progress-fd", "abc"],
  code: "E_OPTION_VALUE",
  status: 2,
  stdout: /^$/,
} satisfies Case;
