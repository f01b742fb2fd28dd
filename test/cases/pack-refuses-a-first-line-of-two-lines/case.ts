import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["pack", "app", "-o", "out.b64", "--shebang", "/bin/sh\n/bin/rm"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: /in one line/,
} satisfies Case;
