import type { Case } from "../../support/case.ts";

export default {
  files: { "app/x": "x" },
  args: ["pack", "app", "-o", "out.sfs", "--progress-fd", "77"],
  status: 2,
  code: "E_OPTION_VALUE",
  stderr: /--progress-fd .* expected the number of a descriptor that is open, found "77"/,
} satisfies Case;
