import type { Case } from "../../support/case.ts";

export default {
  files: { file: "a text that is no bundle" },
  args: ["check", "file"],
  code: "E_ELF_UNSUPPORTED",
} satisfies Case;
