import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,

  args: ["build", "app", "-o", "out", "--compression", "zstd:23"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: "zstd 1 to 22",
} satisfies Case;
