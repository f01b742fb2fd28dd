import type { Case } from "../../support/case.ts";

export default {
  files: { "app/readme": "text", "app/src/server.js": "", "app/dist/index.js": "" },
  args: ["build", "app", "-o", "out"],
  code: "E_ENTRY_NONE",
  stderr: /\n {2}Did you mean --entry src\/server\.js \(or dist\/index\.js\)\?\n/,
} satisfies Case;
