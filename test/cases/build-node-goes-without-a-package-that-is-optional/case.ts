import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { startAsEveryone } from "../../support/start.ts";

export default {
  needs: ["userns", "fuse"],
  files: {
    "app/package.json": '{ "dependencies": { "library": "1" } }',
    "app/index.js":
      'try { require("tried"); } catch { console.log("without", require("library")); }',
    "app/node_modules/library/package.json":
      '{ "name": "library", "peerDependencies": { "peer": "1" }, "peerDependenciesMeta": { "peer": { "optional": true } } }',
    "app/node_modules/library/index.js":
      'exports.value = 42; exports.later = () => require("peer");',
  },
  args: ["build", "app", "-o", "out", "--node", "none"],
  stderr: /warning: library may ask for peer: not installed/,
  async check(cwd) {
    for (const said of await startAsEveryone(`${cwd}/out`, 1)) {
      expect(said).toMatch(/^without \{ value: 42, later: \[Function/);
    }
  },
} satisfies Case;
