import type { Case } from "../../support/case.ts";

export default {
  files: {
    "app/package.json": "{}",
    "app/index.js": 'require("native")',
    "app/node_modules/native/package.json": '{ "name": "native" }',
    "app/node_modules/native/index.js": "",
    "app/node_modules/native/binding.gyp": "{}",
  },
  args: ["build", "app", "-o", "out", "--node", "none"],
  code: "E_NODE_ADDON_TARGET",
  stderr: /found binding\.gyp, which was not built\n.*npm rebuild native/,
} satisfies Case;
