import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,

  args: ["build", "app", "-o", "out", "--env", "PORT"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: '--env does not take this value: expected K=V with a name before the =, found "PORT"',
} satisfies Case;
