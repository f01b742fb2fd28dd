import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, out: { folder: true } },
  args: ["build", "app", "-o", "out"],
  code: "E_OUTPUT_DIRECTORY",
} satisfies Case;
