import type { Case } from "../../support/case.ts";

/** All that it names is in node_modules, or is needed in development only. */
export default {
  files: {
    "app/.pnp.cjs": "// made by Yarn",
    "app/package.json":
      '{ "dependencies": { "ms": "1.0.0" }, "devDependencies": { "eslint": "9" } }',
    "app/node_modules/ms/package.json": '{ "name": "ms", "version": "1.0.0" }',
    "app/node_modules/ms/index.js": "module.exports = 1;",
    "app/server.js": 'console.log(require("ms"));',
  },
  args: ["build", "app", "-o", "out", "--node", "none"],
  stdout: /server\.js bundled/,
} satisfies Case;
