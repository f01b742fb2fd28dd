import type { Case } from "../../support/case.ts";

const bin = { serve: "serve.js", migrate: "./migrate.js" };

export default {
  files: {
    "app/package.json": JSON.stringify({ bin }),
    "app/serve.js": "",
    "app/migrate.js": "",
  },
  args: ["build", "app", "-o", "out", "--node", "none"],
  code: "E_ENTRY_AMBIGUOUS",
  stderr: /2 programs could be the entrypoint: serve\.js, migrate\.js\n.*--entry serve\.js/,
} satisfies Case;
