import type { Case } from "../../support/case.ts";

/** Of a workspace: the loader lies in the root. The package is only tried, and would be left out silently. */
export default {
  files: {
    ".pnp.cjs": "// made by Yarn",
    ".yarn/cache/ms-npm-2.1.3-81ff3cfac1-10.zip": "PK",
    "app/package.json": '{ "dependencies": { "ms": "2.1.3" } }',
    "app/index.js": 'try { require("ms"); } catch {}',
  },
  args: ["build", "app", "-o", "out", "--node", "none"],
  code: "E_NODE_PNP",
  stderr: /\.pnp\.cjs: ms is in no node_modules[\s\S]*nodeLinker: node-modules/,
} satisfies Case;
