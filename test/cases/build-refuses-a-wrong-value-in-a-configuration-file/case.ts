import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, "app/bundle.config.json": '{ "env": ["NAME"] }' },
  args: ["build", "app", "-o", "out"],
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: /app\/bundle\.config\.json: env does not take this value: expected K=V .*, found "NAME"/,
} satisfies Case;
