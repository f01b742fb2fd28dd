import type { Case } from "../../support/case.ts";

export default {
  args: ["extract", "out", "--owners", "--no-owners"],
  code: "E_OPTION_CONFLICT",
  status: 2,
} satisfies Case;
