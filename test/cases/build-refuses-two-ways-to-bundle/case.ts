import type { Case } from "../../support/case.ts";

export default {
  files: { "main.js": "" },
  args: ["build", "main.js", "-o", "out", "--no-bundle", "--bundle=strict"],
  code: "E_OPTION_CONFLICT",
  status: 2,
  stderr: /--no-bundle is --bundle=none/,
} satisfies Case;
