import type { Case } from "../../support/case.ts";

export default {
  args: ["build", "-o", "out"],
  code: "E_ARGUMENT",
  status: 2,
} satisfies Case;
