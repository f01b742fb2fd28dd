import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { startAsEveryone } from "../../support/start.ts";

/** The names of what is read are not in the source. */
const main = `const fs = require("node:fs"), path = require("node:path");
const folder = path.join(...JSON.parse(process.env.WHERE ?? '["data"]'));
const here = path.dirname(process.argv[1]);
console.log(fs.readdirSync(path.join(here, folder)).join(), fs.existsSync(path.join(here, "other")));`;

export default {
  needs: ["userns", "fuse"],
  files: {
    "app/package.json": '{ "main": "main.js" }',
    "app/main.js": main,
    "app/data/one.txt": "1",
    "app/data/two.txt": "2",
    "app/data/three.bin": "3",
    "app/other/file": "",
  },
  args: ["build", "app", "-o", "out", "--node", "none", "--include", "data/*.txt"],
  async check(cwd) {
    const said = "one.txt,two.txt false\n";
    expect(await startAsEveryone(`${cwd}/out`, 1)).toEqual([said, said]);
  },
} satisfies Case;
