import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, "more/bin/app": "other" },
  args: ["pack", "app", "more", "-o", "out.sfs"],
  code: "E_PATH_INVALID",
  stderr: /bin\/app: two of the inputs/,
} satisfies Case;
