import type { Case } from "../../support/case.ts";

export default {
  files: { "app/package.json": '{ "main": "dist/main.js" }', "app/src/server.ts": "" },
  args: ["build", "app", "-o", "out", "--node", "none"],
  code: "E_ENTRY_MISSING",
  stderr:
    /main of package\.json says dist\/main\.js\. Build the project first, .*--entry src\/server\.ts/,
} satisfies Case;
