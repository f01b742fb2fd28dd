import type { Case } from "../../support/case.ts";
import { smallApp } from "../../support/case.ts";

export default {
  files: {
    ...smallApp,
    "app/bundle.config.mjs": "export default { env: [`ZONE=${new Date(0).getTimezoneOffset()}`] };",
  },
  env: { TZ: "UTC" },
  args: ["verify", "--reproducible", "app"],
  code: "E_NOT_REPRODUCIBLE",
  stderr: /by its time zone; the first difference is env: \["ZONE=0"\] and \["ZONE=/,
} satisfies Case;
