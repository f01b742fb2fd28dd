import type { Case } from "../../support/case.ts";

export default {
  args: ["build", "tar:root.tar", "-o", "out", "--with-libs"],
  code: "E_OPTION_CONFLICT",
  status: 2,
  stderr: /--with-libs, and a container image has libraries of its own/,
} satisfies Case;
