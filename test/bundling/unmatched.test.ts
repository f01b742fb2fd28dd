/** What is left out by --exclude and is not there: a warning, as of what is included or kept and is not there. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { smallApp, writeFiles } from "../support/case.ts";
import { bundleCommand, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const typed = ["*.mpa", "nothing", "share/**/none.*"];
const there = ["*.map", "share/none", "./docs/"];
const globs = [...typed, ...there].flatMap((glob) => ["--exclude", glob]);
const said = (glob: string) => `${glob} is to be left out and matches nothing`;

function folder(more = {}): string {
  const dir = temporaryDirectory();
  const extra = { "a.map": "a", "share/none": "b", "docs/x": "c", ...more };
  writeFiles(dir, { ...smallApp, ...Object.fromEntries(below("app", extra)) });
  return dir;
}
const below = (at: string, files: object) =>
  Object.entries(files).map(([k, v]) => [`${at}/${k}`, v]);

const bundle = async (cwd: string, ...args: string[]) => {
  const outcome = await run(process.execPath, [bundleCommand, ...args], { cwd });
  expect(outcome).toMatchObject({ status: 0 });
  return outcome;
};
const warnings = (stderr: string) => stderr.match(/(?<=^bundle: )warning: .*$/gm) ?? [];

test.each([
  ["build", "out.run"],
  ["pack", "out.sfs"],
  ["pack", "out.zip"],
])("%s of a folder: %s", async (command, out) => {
  const cwd = folder();
  const { stderr } = await bundle(cwd, command, "app", "-o", out, ...globs);
  expect(warnings(stderr)).toEqual(typed.map((glob) => `warning: ${said(glob)} [W_EXCLUDE]`));
  const json = await bundle(cwd, command, "app", "-o", out, ...globs, "--json");
  expect(JSON.parse(json.stdout).warnings).toEqual(
    typed.map((glob) => ({ code: "W_EXCLUDE", message: said(glob) })),
  );
});

test("an archive, and what is packed again", async () => {
  const cwd = folder();
  await run("tar", ["-cf", "app.tar", "-C", "app", "."], { cwd });
  const { stderr } = await bundle(cwd, "build", "app.tar", "-o", "first.run", "--exclude", "*.mpa");
  expect(warnings(stderr)).toEqual([`warning: ${said("*.mpa")} [W_EXCLUDE]`]);
  const again = await bundle(cwd, "build", "first.run", "-o", "second.run", ...globs);
  expect(warnings(again.stderr)).toEqual(typed.map((glob) => `warning: ${said(glob)} [W_EXCLUDE]`));
});

test("of several inputs one has it", async () => {
  const cwd = folder();
  writeFiles(cwd, { "more/b.mpa": "b", "more/c": "c" });
  const inputs = ["app", "more:/more", "-o", "out.sfs"];
  const { stderr } = await bundle(cwd, "pack", ...inputs, "--exclude", "*.mpa", "--exclude", "*.x");
  expect(warnings(stderr)).toEqual([`warning: ${said("*.x")} [W_EXCLUDE]`]);
});

test("rules of files, and a configuration that is left out, are no words of the caller's", async () => {
  const cwd = folder({ ".bundleignore": "*.nope\n", "bundle.config.json": "{}" });
  writeFileSync(path.join(cwd, "rules"), "*.neither\n");
  const { stderr } = await bundle(cwd, "build", "app", "-o", "out.run", "--exclude-from", "rules");
  expect(warnings(stderr)).toEqual([]);
});

test("a Node app is asked for what is in its folder, whatever of it is packed", async () => {
  const cwd = temporaryDirectory();
  mkdirSync(path.join(cwd, "app/test"), { recursive: true });
  writeFileSync(path.join(cwd, "app/package.json"), '{ "name": "a", "main": "main.js" }');
  writeFileSync(path.join(cwd, "app/main.js"), "console.log('a')\n");
  writeFileSync(path.join(cwd, "app/test/a.test.js"), "");
  const globs = ["--exclude", "**/*.test.js", "--exclude", "**/*.tset.js"];
  const args = ["build", "app", "-o", "out.run", "--node", "none", ...globs];
  const { stderr } = await bundle(cwd, ...args);
  const found = warnings(stderr).filter((line) => line.includes("W_EXCLUDE"));
  expect(found).toEqual([`warning: ${said("**/*.tset.js")} [W_EXCLUDE]`]);
});
