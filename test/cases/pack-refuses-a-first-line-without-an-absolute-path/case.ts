import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["pack", "app", "-o", "out.b64", "--shebang", "fuselage --static"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: /the absolute path of an interpreter/,
} satisfies Case;
