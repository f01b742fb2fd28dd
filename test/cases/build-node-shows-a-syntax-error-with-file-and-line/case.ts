import type { Case } from "../../support/case.ts";

export default {
  files: { "app.ts": 'import "./part";\n', "part.ts": "const a = 1;\nconst b = = 2;\n" },
  args: ["build", "app.ts", "-o", "out", "--node", "none"],
  code: "E_NODE_BUNDLE",
  stderr: /cannot be bundled: part\.ts:2:10: Unexpected "=" in `const b = = 2;`\n/,
} satisfies Case;
