import type { Case } from "../../support/case.ts";

export default {
  files: { "app/bin/any": "text" },
  args: ["build", "app", "-o", "out"],
  code: "E_ENTRY_NONE",
  stderr: /\n {2}bin\/any may not run: chmod \+x it/,
} satisfies Case;
