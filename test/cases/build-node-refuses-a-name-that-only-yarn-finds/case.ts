import type { Case } from "../../support/case.ts";

/** A package of the workspace that no list has, and one script alone. */
export default {
  files: {
    ".pnp.js": "// made by Yarn 2",
    "package.json": "{}",
    "tool.mjs": 'import ms from "ms";\nconsole.log(ms);',
  },
  args: ["build", "tool.mjs", "-o", "out", "--node", "none"],
  code: "E_NODE_PNP",
  stderr: /\.pnp\.js: tool\.mjs needs ms, which is not installed; Yarn's[\s\S]*nodeLinker/,
} satisfies Case;
