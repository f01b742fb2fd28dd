import type { Case } from "../../support/case.ts";

export default {
  files: {
    "app/package.json": '{ "name": "root", "workspaces": ["packages/*"] }',
    "app/packages/web/package.json": '{ "name": "web" }',
    "app/packages/web/src/server.ts": "",
  },
  args: ["build", "app", "-o", "out", "--node", "none"],
  code: "E_ENTRY_NONE",
  stderr: /\n {2}Did you mean --entry packages\/web\/src\/server\.ts\?\n/,
} satisfies Case;
