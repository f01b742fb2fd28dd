import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { startAsEveryone } from "../../support/start.ts";

export default {
  needs: ["userns", "fuse"],
  files: {
    "app/package.json": '{ "dependencies": { "@scope/library": "1" } }',
    "app/index.js":
      'try { require("tried"); } catch { console.log("without", require("@scope/library")); }',
    "app/node_modules/@scope/library/package.json":
      '{ "peerDependencies": { "peer": "1" }, "peerDependenciesMeta": { "peer": { "optional": true } } }',
    "app/node_modules/@scope/library/index.js":
      'exports.value = 42; exports.later = () => [require("peer"), require("other/sub"), require("l-win32-x64"), require("@l/x-darwin-arm64/x.node")];',
  },
  args: ["build", "app", "-o", "out", "--node", "none"],
  stderr: /^bundle: warning: @scope\/library may ask for peer, other\/sub: not installed/m,
  async check(cwd) {
    for (const said of await startAsEveryone(`${cwd}/out`, 1)) {
      expect(said).toMatch(/^without \{ value: 42, later: \[Function/);
    }
  },
} satisfies Case;
