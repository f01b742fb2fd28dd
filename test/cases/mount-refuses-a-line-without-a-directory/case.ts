import type { Case } from "../../support/case.ts";

export default {
  files: { "app.sfs": "" },
  args: ["mount", "app.sfs"],
  code: "E_ARGUMENT",
  status: 2,
  stderr: "DIR is missing",
} satisfies Case;
