import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { startAsEveryone } from "../../support/start.ts";

export default {
  needs: ["userns", "fuse"],
  files: {
    "node_modules/tool/package.json":
      '{ "name": "tool", "bin": "bin/tool.js", "dependencies": { "part": "1" } }',
    "node_modules/tool/bin/tool.js": 'require("../lib/main.js");',
    "node_modules/tool/lib/main.js":
      'console.log(require("part"), require("node:path").basename(__dirname));',
    "node_modules/part/index.js": 'module.exports = "part";',
    "node_modules/other/index.js": "",
  },
  args: ["build", "node_modules/tool", "-o", "out", "--node", "none"],
  stdout: /bin\/tool\.js as it is/,
  async check(cwd) {
    expect(await startAsEveryone(`${cwd}/out`, 1)).toEqual(["part lib\n", "part lib\n"]);
  },
} satisfies Case;
