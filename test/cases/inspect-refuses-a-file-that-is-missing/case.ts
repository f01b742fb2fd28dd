import type { Case } from "../../support/case.ts";

export default {
  args: ["inspect", "gone"],
  code: "E_INPUT_MISSING",
} satisfies Case;
