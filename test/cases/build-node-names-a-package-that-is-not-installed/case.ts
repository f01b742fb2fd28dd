import type { Case } from "../../support/case.ts";

export default {
  files: { "app/package.json": "{}", "app/index.js": 'require("left-pad/lib/x")' },
  args: ["build", "app", "-o", "out", "--node", "none"],
  code: "E_NODE_DEPENDENCY",
  stderr: /index\.js needs left-pad, which is not installed\n.*npm install/,
} satisfies Case;
