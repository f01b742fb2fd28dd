import type { Case } from "../../support/case.ts";

export default {
  files: { app: { folder: true } },
  args: ["build", "app", "-o", "out"],
  code: "E_INPUT_EMPTY",
} satisfies Case;
