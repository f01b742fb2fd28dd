import type { Case } from "../../support/case.ts";

export default {
  files: { app: "text" },
  args: ["build", "app", "-o", "out"],
  code: "E_INPUT_NOT_DIRECTORY",
} satisfies Case;
