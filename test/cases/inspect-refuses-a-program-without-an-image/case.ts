import type { Case } from "../../support/case.ts";

export default {
  args: ["inspect", process.execPath],
  code: "E_IMAGE_MISSING",
} satisfies Case;
