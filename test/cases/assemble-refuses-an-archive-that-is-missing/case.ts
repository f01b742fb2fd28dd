import { assembleArgs } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  args: assembleArgs(),
  code: "E_INPUT_MISSING",
  stderr: /app\.sfs/,
} satisfies Case;
