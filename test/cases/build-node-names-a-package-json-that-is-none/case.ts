import type { Case } from "../../support/case.ts";

export default {
  files: { "app/package.json": "{ name: 1 }", "app/index.js": "" },
  args: ["build", "app", "-o", "out", "--node", "none"],
  code: "E_NODE_PACKAGE",
} satisfies Case;
