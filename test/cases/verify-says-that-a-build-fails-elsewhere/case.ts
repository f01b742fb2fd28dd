import type { Case } from "../../support/case.ts";
import { smallApp } from "../../support/case.ts";

export default {
  files: {
    ...smallApp,
    "app/bundle.config.mjs":
      "if (process.umask() === 0o77) throw new Error('no'); export default {};",
  },
  args: ["verify", "--reproducible", "app"],
  code: "E_REBUILD",
  stderr: /a build fails where this is another: .*umask.*E_CONFIG_INVALID/,
} satisfies Case;
