import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { run } from "../../support/process.ts";
import { startAsEveryone } from "../../support/start.ts";

const store = "app/node_modules/.pnpm";
const library = '{ "name": "library", "dependencies": { "below": "1" } }';

export default {
  needs: ["userns", "fuse"],
  files: {
    "app/package.json":
      '{ "dependencies": { "library": "1" }, "devDependencies": { "tool": "1" } }',
    "app/index.js": 'console.log(require("library"), require("node:fs").readdirSync(__dirname))',
    [`${store}/library@1/node_modules/library/package.json`]: library,
    [`${store}/library@1/node_modules/library/index.js`]:
      'module.exports = require("below") + __filename.split("/").slice(-5).join("/")',
    [`${store}/below@1/node_modules/below/package.json`]: '{ "name": "below" }',
    [`${store}/below@1/node_modules/below/index.js`]: 'module.exports = "found "',
    [`${store}/tool@1/node_modules/tool/index.js`]: "",
    [`${store}/library@1/node_modules/below`]: { link: "../../below@1/node_modules/below" },
    "app/node_modules/library": { link: ".pnpm/library@1/node_modules/library" },
    "app/node_modules/tool": { link: ".pnpm/tool@1/node_modules/tool" },
  },
  args: ["build", "app", "-o", "out", "--node", "none", "--no-bundle"],
  async check(cwd) {
    const place = ".pnpm/library@1/node_modules/library/index.js";
    const said = `found ${place} [ 'index.js', 'node_modules', 'package.json' ]\n`;
    expect(await startAsEveryone(`${cwd}/out`, 1)).toEqual([said, said]);
    await run(`${cwd}/out`, ["--bundle-extract", `${cwd}/files`]);
    const { stdout } = await run("ls", ["-A", `${cwd}/files/app/node_modules/.pnpm`]);
    expect(stdout).toBe("below@1\nlibrary@1\n");
  },
} satisfies Case;
