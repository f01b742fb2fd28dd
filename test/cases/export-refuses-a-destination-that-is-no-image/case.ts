import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["export", "app", "--to", "image.tar"],
  code: "E_OCI_REFERENCE",
  status: 2,
  stderr: /"image\.tar"/,
} satisfies Case;
