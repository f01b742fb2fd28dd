import type { Case } from "../../support/case.ts";

export default {
  args: ["biuld"],
  code: "E_COMMAND_UNKNOWN",
  status: 2,
  stderr: "bundle build",
} satisfies Case;
