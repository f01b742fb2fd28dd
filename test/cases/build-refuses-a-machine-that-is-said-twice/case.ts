import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "out", "--arch", "x86_64", "--target", "linux-arm64"],
  code: "E_OPTION_CONFLICT",
  status: 2,
} satisfies Case;
