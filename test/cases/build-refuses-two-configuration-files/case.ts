import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: {
    ...smallApp,
    "app/bundle.config.json": "{}",
    "app/bundle.config.mjs": "export default {};\n",
  },
  args: ["build", "app", "-o", "out"],
  code: "E_CONFIG_INVALID",
  status: 2,
  stderr: /bundle\.config\.json, bundle\.config\.mjs[\s\S]*--config/,
} satisfies Case;
