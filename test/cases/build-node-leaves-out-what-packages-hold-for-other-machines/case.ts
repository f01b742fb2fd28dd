import { readdirSync } from "node:fs";
import { expect } from "vitest";
import type { Case, Files } from "../../support/case.ts";
import { elfHead, peHead } from "../../support/machine-code.ts";
import { run } from "../../support/process.ts";

const here = process.arch === "arm64" ? 183 : 62;
const other = here === 62 ? 183 : 62;
const searcher = "app/node_modules/searcher";

/** A package with its program for several machines, by names that say nothing. */
export const files: Files = {
  "app/package.json": '{ "dependencies": { "searcher": "1" } }',
  "app/index.js": 'require("searcher")',
  [`${searcher}/index.js`]: 'require("node:fs").readdirSync(__dirname + "/vendor")',
  [`${searcher}/vendor/one/search`]: elfHead({ machine: here }),
  [`${searcher}/vendor/two/search`]: elfHead({ machine: other }),
  [`${searcher}/vendor/[three]/search`]: Buffer.concat([peHead({}), Buffer.alloc(3 << 20)]),
  [`${searcher}/vendor/four/search.dylib`]: Buffer.from(
    "\xcf\xfa\xed\xfe".padEnd(99, "\0"),
    "latin1",
  ),
  [`${searcher}/vendor/win32-x64.txt`]: "only its name is of another machine",
  "app/tools/own.exe": peHead({}),
};

/** Names in a folder of what a bundle holds. */
export async function namesIn(cwd: string, folder: string): Promise<string[]> {
  await run(`${cwd}/out`, ["--bundle-extract", `${cwd}/files`]);
  const all = readdirSync(`${cwd}/files/${folder}`, { recursive: true, withFileTypes: true });
  return all
    .filter((one) => one.isFile())
    .map(({ parentPath, name }) => {
      return `${parentPath.slice(`${cwd}/files/${folder}/`.length)}/${name}`.replace(/^\//, "");
    })
    .sort();
}

export default {
  files,
  args: ["build", "app", "-o", "out", "--node", "none", "--no-bundle"],
  stderr:
    /^bundle: left out: 3\.0 MiB in 3 files for other machines \(searcher 3\.0 MiB\); --keep-foreign packs them\n$/,
  async check(cwd) {
    expect(await namesIn(cwd, "app/node_modules/searcher/vendor")).toEqual([
      "one/search",
      "win32-x64.txt",
    ]);
    expect(await namesIn(cwd, "app/tools")).toEqual(["own.exe"]);
  },
} satisfies Case;
