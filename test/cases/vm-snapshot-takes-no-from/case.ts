import type { Case } from "../../support/case.ts";

export default {
  args: ["vm", "snapshot", "app.run", "-o", "app.snapshot", "--from", "other.snapshot"],
  code: "E_OPTION_CONFLICT",
  status: 2,
  stderr: "--from",
} satisfies Case;
