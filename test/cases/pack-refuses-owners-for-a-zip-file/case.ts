import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["pack", "app", "-o", "out.zip", "--keep-owners"],
  code: "E_OPTION_CONFLICT",
  status: 2,
  stderr: /--keep-owners/,
} satisfies Case;
