import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["export", "app"],
  code: "E_OPTION_MISSING",
  status: 2,
  stderr: /--to is missing: .*--systemd.*--kubernetes/,
} satisfies Case;
