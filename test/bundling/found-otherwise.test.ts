/**
 * The packed Node finds another file than the bundler was told, so all is decided on once more. Names
 * that begin with `#/` are such ones: Node takes them since 24.14, and refuses them before that.
 */
import path from "node:path";
import { expect, test } from "vitest";
import { writeFiles } from "../support/case.ts";
import { bundle, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const imports = '"imports": { "#/*": "./lib/*" }';
const tried = "const tried = (f) => { try { return f(); } catch ({ code }) { return code; } };";
const other = { "lib/other.cjs": 'module.exports = "other";' };

/** The same in a package. */
function installed(files: Record<string, string>, more = "") {
  const inside = { ...files, ...other };
  return {
    "package.json": '{ "dependencies": { "p": "1.0.0" } }',
    "node_modules/p/package.json": `{ "name": "p", "version": "1.0.0", ${imports}${more} }`,
    ...Object.fromEntries(
      Object.entries(inside).map(([name, text]) => [`node_modules/p/${name}`, text]),
    ),
  };
}

test.each<[string, Record<string, string>, RegExp]>([
  [
    "CommonJS of the app stays as it is",
    {
      "package.json": `{ ${imports} }`,
      "main.js": `${tried} console.log(tried(() => require("#/other.cjs")));`,
      ...other,
    },
    / as it is \(main\.js: Node finds nothing for #\/other\.cjs, not /,
  ],
  [
    "a module of the app stays as it is",
    {
      "package.json": `{ "type": "module", ${imports} }`,
      "main.js":
        'console.log(await import("#/other.cjs").then((all) => all.default, ({ code }) => code));',
      ...other,
    },
    / as it is \(main\.js: Node finds nothing for #\/other\.cjs, not /,
  ],
  [
    "a package stays files beside the bundle",
    {
      "main.js": 'console.log(require("p")());',
      ...installed({
        "index.js": `${tried} module.exports = () => tried(() => require("#/other.cjs"));`,
      }),
    },
    /main\.js bundled, run by/,
  ],
  [
    "a package that is a module does too",
    {
      "main.mjs": 'import p from "p";\nconsole.log(await p());',
      ...installed(
        {
          "index.js":
            'export default () => import("#/other.cjs").then((all) => all.default, (e) => e.code);',
        },
        ', "type": "module", "exports": "./index.js"',
      ),
    },
    /main\.mjs bundled, run by/,
  ],
  [
    "what cannot start does not start either",
    {
      "package.json": `{ ${imports} }`,
      "main.mjs": 'import it from "#/other.cjs";\nconsole.log(it);',
      ...other,
    },
    / as it is \(main\.mjs: Node finds nothing for #\/other\.cjs, not /,
  ],
])(
  "%s",
  async (_, files, how) => {
    const dir = path.join(temporaryDirectory(), "app");
    writeFiles(dir, files);
    const main = Object.keys(files).find((name) => name.startsWith("main."));
    const expected = await run(process.execPath, [path.join(dir, main ?? "")]);
    const output = `${dir}.run`;
    const args = ["build", dir, "--entry", main ?? "", "-o", output, "--node", process.execPath];
    const built = await bundle(args);
    expect(built).toMatchObject({ status: 0 });
    const isFound = expected.stdout === "other\n";
    expect(built.stdout).toMatch(isFound ? / bundled, run by/ : how);
    const { stdout, status } = await run(output, []);
    expect({ stdout, status }).toEqual({ stdout: expected.stdout, status: expected.status });
  },
  240_000,
);
