import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, "app/bundle.config.json": '{ "env": ["NAME"] }' },
  args: ["build", "app", "-o", "out"],
  code: "E_CONFIG_VALUE",
  status: 2,
  stderr: /app\/bundle\.config\.json: "env" .*: expected a list, .*found \["NAME"\]/,
} satisfies Case;
