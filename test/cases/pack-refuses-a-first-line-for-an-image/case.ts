import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["pack", "app", "-o", "out.sfs", "--shebang", "/bin/sh"],
  code: "E_OPTION_CONFLICT",
  status: 2,
  stderr: /--shebang goes with base64 text/,
} satisfies Case;
