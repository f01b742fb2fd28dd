import type { Case } from "../../support/case.ts";

export default {
  args: ["build", "gone", "-o", "out"],
  code: "E_INPUT_MISSING",
  stderr: "gone",
} satisfies Case;
