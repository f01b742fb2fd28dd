import type { Case } from "../../support/case.ts";

export default {
  program: "fuselage-bundle",
  args: ["--archive=gone.sfs", "--output=out", "--json", "--", "true"],
  code: "E_INPUT_MISSING",
  stderr: /^fuselage-bundle: \[E_INPUT_MISSING\] gone\.sfs/,
  stdout: /"code": "E_INPUT_MISSING"/,
} satisfies Case;
