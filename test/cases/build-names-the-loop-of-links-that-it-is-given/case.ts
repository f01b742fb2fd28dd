import type { Case } from "../../support/case.ts";

export default {
  files: { loop: { link: "loop" } },
  args: ["build", "loop", "-o", "app.run"],
  code: "E_FILE_UNREADABLE",
  stderr: /\] loop: .*too many symbolic links/,
} satisfies Case;
