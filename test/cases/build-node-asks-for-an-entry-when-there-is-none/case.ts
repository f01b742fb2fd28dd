import type { Case } from "../../support/case.ts";

export default {
  files: { "app/package.json": '{ "name": "library" }', "app/lib/code.js": "" },
  args: ["build", "app", "-o", "out", "--node", "none"],
  code: "E_ENTRY_NONE",
  stderr: /expected bin, main, exports, index\.js or server\.js.*\n.*--entry src\/server\.js/,
} satisfies Case;
