import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["pack", "app", "-o", "out.sfs", "--keep-owners", "--owner", "1000:1000"],
  code: "E_OPTION_CONFLICT",
  status: 2,
  stderr: /--keep-owners.*--owner/,
} satisfies Case;
