import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, out: { folder: true } },
  args: ["pack", "app", "-o", "out", "--format", "zip"],
  code: "E_OUTPUT_DIRECTORY",
  stderr: /out/,
} satisfies Case;
