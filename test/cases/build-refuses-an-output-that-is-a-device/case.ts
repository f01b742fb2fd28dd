import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, out: { link: "/dev/null" } },
  args: ["build", "app", "-o", "out"],
  code: "E_OUTPUT_FAILED",
  stderr: "character device",
} satisfies Case;
