import type { Case } from "../../support/case.ts";

export default {
  files: { "app/__main__.py": "print()", "app/library.py": "", "app/other/main.py": "" },
  args: ["build", "app", "-o", "out"],
  code: "E_ENTRY_NONE",
  stderr: /\n {2}__main__\.py may not run: chmod \+x it/,
} satisfies Case;
