import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { Renamed } from "../../../../builder/app/node/renamed.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

/** What is said of each source when they are bundled as the parts of one app. */
async function renamedIn(sources: Record<string, string>): Promise<Record<string, string[]>> {
  const dir = temporaryDirectory();
  for (const [name, text] of Object.entries(sources)) {
    mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    writeFileSync(path.join(dir, name), text);
  }
  const output = path.join(dir, "out.cjs");
  const { outputFiles, metafile } = await build({
    absWorkingDir: dir,
    entryPoints: ["main.js"],
    outfile: output,
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    sourcemap: "external",
  });
  const contents = (ending: string) =>
    outputFiles.find((one) => one.path === output + ending)?.contents ?? new Uint8Array();
  const files = Object.keys(metafile.inputs).map((name) => path.resolve(dir, name));
  const renamed = new Renamed(output, contents(""), contents(".map"), { dir, files });
  return Object.fromEntries(
    Object.entries(sources).map(([name, text]) => {
      return [name, [...renamed.of(path.join(dir, name), text)].sort()];
    }),
  );
}

/** A map that says nothing, as a compiler leaves it; in one word the loader of tests takes it for its own. */
const MAP = `\n//# ${"sourceMapping"}URL=data:application/json,${encodeURIComponent(
  JSON.stringify({ version: 3, sources: ["of.ts"], names: [], mappings: "" }),
)}\n`;
const job = "export class Job {}\nexport function task() {}\n";
const main =
  'import { Job, task } from "./a.js";\n' +
  'import { Job as B, task as t } from "./lib/b.js";\n' +
  'import { other } from "./c.js";\nconsole.log(Job, B, task, t, other);\n';

test("a source that brings a map is told apart from others", async () => {
  const renamed = await renamedIn({
    "main.js": main,
    "a.js": job + MAP,
    "lib/b.js": job + MAP,
    "c.js": `export function other() {}${MAP}`,
  });
  expect(renamed["a.js"]).toEqual([]);
  expect(renamed["lib/b.js"]).toEqual(["Job", "task"]);
  expect(renamed["c.js"]).toEqual([]);
});

test("a source that brings none is asked for its own places", async () => {
  const renamed = await renamedIn({
    "main.js": main,
    "a.js": job,
    "lib/b.js": job,
    "c.js": "const task = 1;\nexport function other() { return task; }\n",
  });
  expect(renamed["a.js"]).toEqual([]);
  expect(renamed["lib/b.js"]).toEqual(["Job", "task"]);
  expect(renamed["c.js"]).toEqual([]);
});

test("where a text looks like a line of the bundler all of the output counts", async () => {
  const renamed = await renamedIn({
    "main.js": main,
    "a.js": `${job}console.log(\`\n// c.js\n\`);${MAP}`,
    "lib/b.js": job + MAP,
    "c.js": `export function other() {}${MAP}`,
  });
  for (const name of ["a.js", "lib/b.js", "c.js"])
    expect(renamed[name]).toEqual(expect.arrayContaining(["Job", "task"]));
});
