import type { Case } from "../../support/case.ts";

export default {
  args: ["cache", "shrink"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: "info, clear",
} satisfies Case;
