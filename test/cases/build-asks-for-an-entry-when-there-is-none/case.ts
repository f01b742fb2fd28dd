import type { Case } from "../../support/case.ts";

export default {
  files: { "app/data": "text" },
  args: ["build", "app", "-o", "out"],
  code: "E_ENTRY_NONE",
} satisfies Case;
