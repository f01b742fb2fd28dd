import type { Case } from "../../support/case.ts";

export default {
  args: ["vm", "start", "app.run"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: "run, snapshot",
} satisfies Case;
