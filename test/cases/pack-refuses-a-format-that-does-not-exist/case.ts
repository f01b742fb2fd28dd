import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["pack", "app", "-o", "out.sfs", "--format", "tar"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: /--format does not take this value: expected sfs, zip, b64/,
} satisfies Case;
