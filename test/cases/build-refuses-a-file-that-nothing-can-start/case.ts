import type { Case } from "../../support/case.ts";

export default {
  files: { app: "text" },
  args: ["build", "app", "-o", "out"],
  code: "E_KIND_UNKNOWN",
  status: 2,
  stderr: /app: nothing here can start this file: expected a folder/,
} satisfies Case;
