import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "app.run", "--keep-hot", "/"],
  stderr: /^bundle: warning: \/ is to be kept by starts and matches no file \[W_KEEP_HOT\]$/m,
} satisfies Case;
