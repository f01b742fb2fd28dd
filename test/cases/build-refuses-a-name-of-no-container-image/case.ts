import type { Case } from "../../support/case.ts";

export default {
  args: ["build", "docker://Nginx:1:2", "-o", "out"],
  code: "E_OCI_REFERENCE",
  status: 2,
  stderr: /expected docker:\/\/HOST\/NAME, .*found "docker:\/\/Nginx:1:2"/,
} satisfies Case;
