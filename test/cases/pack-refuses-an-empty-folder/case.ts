import type { Case } from "../../support/case.ts";

export default {
  files: { empty: { folder: true } },
  args: ["pack", "empty", "-o", "out.zip"],
  code: "E_INPUT_EMPTY",
  stderr: /empty/,
} satisfies Case;
