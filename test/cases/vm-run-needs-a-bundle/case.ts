import type { Case } from "../../support/case.ts";

export default {
  args: ["vm", "run"],
  code: "E_ARGUMENT",
  status: 2,
  stderr: "BUNDLE is missing",
} satisfies Case;
