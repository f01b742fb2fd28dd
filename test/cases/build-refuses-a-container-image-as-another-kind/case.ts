import type { Case } from "../../support/case.ts";

export default {
  args: ["build", "oci:images:1.0", "-o", "out", "--kind", "plain"],
  code: "E_OPTION_CONFLICT",
  status: 2,
  stderr: /--kind plain, and oci:images:1\.0 is a container image/,
} satisfies Case;
