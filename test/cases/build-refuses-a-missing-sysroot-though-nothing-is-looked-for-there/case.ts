import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "app.run", "--sysroot", "missing"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: /--sysroot does not take this value: expected a folder that exists, found "missing"/,
} satisfies Case;
