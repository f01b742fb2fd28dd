import type { Case } from "../../support/case.ts";

export default {
  files: { text: "#!/bin/sh" },
  args: ["inspect", "text"],
  code: "E_ELF_UNSUPPORTED",
} satisfies Case;
