import type { Case } from "../../support/case.ts";

export default {
  files: { app: { folder: true } },
  args: ["inspect", "app"],
  code: "E_FILE_UNREADABLE",
  stderr: /it is a directory\n.*`bundle build FOLDER -o OUT`/,
} satisfies Case;
