import type { Case } from "../../support/case.ts";

export default {
  files: { "app/lib/code.js": "" },
  args: ["build", "app", "-o", "out", "--kind", "node", "--node", "none"],
  code: "E_ENTRY_NONE",
  stderr:
    /app: there is no package\.json that names a program to start: expected one, index\.js or/,
} satisfies Case;
