import type { Case } from "../../support/case.ts";

export default {
  args: ["doctor", "a", "b"],
  code: "E_ARGUMENT",
  status: 2,
} satisfies Case;
