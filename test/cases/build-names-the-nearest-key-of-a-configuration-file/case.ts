import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, "app/bundle.config.json": '{ "exlcude": ["x"] }' },
  args: ["build", "app", "-o", "out"],
  code: "E_CONFIG_KEY",
  status: 2,
  stderr: /app\/bundle\.config\.json: there is no option "exlcude"\n {2}Did you mean "exclude"\?/,
} satisfies Case;
