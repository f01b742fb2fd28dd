import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["pack", "app", "-o", "out.zip", "--compression", "zstd"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: /gzip or none for a zip file/,
} satisfies Case;
