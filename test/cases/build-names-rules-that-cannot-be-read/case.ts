import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "out", "--exclude-from", "no-such-rules"],
  code: "E_FILE_UNREADABLE",
  stderr: /no-such-rules.*\n {2}Check the path\./,
} satisfies Case;
