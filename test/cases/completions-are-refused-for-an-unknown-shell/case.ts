import type { Case } from "../../support/case.ts";

export default {
  args: ["completions", "tcsh"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: /expected bash, zsh, fish, found "tcsh"/,
} satisfies Case;
