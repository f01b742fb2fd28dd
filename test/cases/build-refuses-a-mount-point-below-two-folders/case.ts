import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "out", "--mount-at", "/run/fuselage/a/b"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: /--mount-at does not take this value: expected \/run\/fuselage\/NAME/,
} satisfies Case;
