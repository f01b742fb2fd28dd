import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type Loading, NodeResolver } from "../../../../builder/app/node/resolution.ts";
import { type Files, writeFiles } from "../../../support/case.ts";
import { root } from "../../../support/process.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

type Question = [specifier: string, importer: string, loading: Loading];

/** What the Node that runs the tests says: a file, a name of its own, or undefined for a failure. */
function asNode(questions: readonly Question[]): (string | undefined)[] {
  const script = `
    import { createRequire, isBuiltin } from "node:module";
    import { existsSync, realpathSync, statSync } from "node:fs";
    import { fileURLToPath, pathToFileURL } from "node:url";
    const answers = JSON.parse(process.argv[1]).map(([specifier, importer, loading]) => {
      try {
        if (loading === "require") return createRequire(importer).resolve(specifier);
        const url = import.meta.resolve(specifier, pathToFileURL(importer).href);
        if (!url.startsWith("file:")) return url;
        const file = fileURLToPath(url);
        return statSync(file).isFile() ? realpathSync(file) : null;
      } catch { return null; }
    });
    process.stdout.write(JSON.stringify(answers));`;
  const flags = ["--experimental-import-meta-resolve", "--no-warnings", "--input-type=module"];
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, "-e", script, JSON.stringify(questions)],
    { encoding: "utf8", env: {}, cwd: "/" },
  );
  expect(stderr).toBe("");
  return (JSON.parse(stdout) as (string | null)[]).map((answer) =>
    answer === null ? undefined : answer.replace(/^node:/, ""),
  );
}

function ours(resolver: NodeResolver, [specifier, importer, loading]: Question) {
  const answer = resolver.resolve(specifier, importer, loading);
  if ("file" in answer) return answer.file;
  return "builtin" in answer ? answer.builtin.replace(/^node:/, "") : undefined;
}

function compare(questions: readonly Question[]): void {
  const resolver = new NodeResolver(process.versions.node);
  const expected = asNode(questions).map((answer, i) => [questions[i], answer]);
  expect(questions.map((question) => [question, ours(resolver, question)])).toEqual(expected);
}

const json = (value: object) => JSON.stringify(value);

/** Packages of every kind that resolution knows. */
const files: Files = {
  "package.json": json({
    name: "app",
    exports: { ".": "./main.js", "./own": { require: "./lib.js", import: "./lib.mjs" } },
    imports: {
      "#lib": "./lib.js",
      "#out": "./../x.js",
      "#dep": { import: "dual", require: "dual/sub" },
      "#fs": "node:fs",
      "#bare-fs": "fs",
      "#in/*.js": "./src/*.js",
      "#in/deep/*": "./src/deep/*.js",
      "#no": null,
    },
  }),
  "main.js": "",
  "lib.js": "",
  "lib.ts": "",
  "lib.mjs": "",
  "conf.json": "{}",
  "conf.ts": "",
  "only.ts": "",
  "a b.js": "",
  "util/index.js": "",
  "util/index.ts": "",
  "both.js": "",
  "both/index.js": "",
  "with-main/package.json": json({ main: "./start" }),
  "with-main/start.js": "",
  "bad-main/package.json": json({ main: "./gone" }),
  "bad-main/index.json": "{}",
  "src/one.js": "",
  "src/deep/two.js": "",
  "linked.js": { link: "lib.js" },
  "node_modules/dual/package.json": json({
    exports: {
      ".": { "module-sync": "./sync.mjs", import: "./index.mjs", require: "./index.js" },
      "./sub": { node: { import: "./sub.mjs", default: "./sub.js" }, default: "./web.js" },
      "./features/*": "./features/*.js",
      "./features/private/*": null,
      "./features/*.css": "./css/*.css",
      "./list": ["not a path", "./sub.js", "./gone.js"],
      "./gone": "./gone.js",
      "./up": "./../other/index.js",
      "./modules": "./node_modules/x.js",
      "./none": [],
      "./package.json": "./package.json",
      "./nested": { browser: "./web.js", other: { node: "./sub.js" } },
    },
  }),
  "node_modules/dual/index.js": "",
  "node_modules/dual/index.mjs": "",
  "node_modules/dual/sync.mjs": "",
  "node_modules/dual/sub.js": "",
  "node_modules/dual/sub.mjs": "",
  "node_modules/dual/web.js": "",
  "node_modules/dual/features/a.js": "",
  "node_modules/dual/features/b/c.js": "",
  "node_modules/dual/features/private/p.js": "",
  "node_modules/dual/css/x.css": "",
  "node_modules/dual/node_modules/x.js": "",
  "node_modules/other/package.json": json({ main: "lib", module: "web.js", browser: "web.js" }),
  "node_modules/other/lib/index.js": "",
  "node_modules/other/lib/deep.js": "",
  "node_modules/other/web.js": "",
  "node_modules/other/index.js": "",
  "node_modules/sugar/package.json": json({ exports: { import: "./m.mjs", default: "./c.js" } }),
  "node_modules/sugar/m.mjs": "",
  "node_modules/sugar/c.js": "",
  "node_modules/@scope/pkg/package.json": json({ exports: "./main.js" }),
  "node_modules/@scope/pkg/main.js": "",
  "node_modules/no-manifest/index.js": "",
  "node_modules/file.js": "",
  "node_modules/null/package.json": json({ exports: null, main: "x.js" }),
  "node_modules/null/x.js": "",
  "node_modules/damaged-main/package.json": json({ main: 7 }),
  "node_modules/damaged-main/index.js": "",
  "node_modules/string_decoder/package.json": json({ main: "own.js" }),
  "node_modules/string_decoder/own.js": "",
  "node_modules/nested/node_modules/dual/package.json": json({ main: "nested.js" }),
  "node_modules/nested/node_modules/dual/nested.js": "",
  "node_modules/nested/index.js": "",
};

const specifiers =
  `./lib ./lib.js ./lib.ts ./lib.mjs ./conf ./conf.json ./only ./only.ts ./util ./util/ ./both ./both/
  ./with-main ./bad-main ./gone . ./ .. ./linked ./linked.js ./a%20b.js ./lib.js/ ./util/index
  dual dual/sub dual/features/a dual/features/a.js dual/features/b/c dual/features/private/p dual/features/x.css
  dual/list dual/gone dual/up dual/modules dual/none dual/package.json dual/index.js dual/nested dual/
  other other/lib other/lib/deep other/lib/deep.js other/web.js other/web other/ sugar sugar/c.js
  @scope/pkg @scope/pkg/main.js @scope no-manifest no-manifest/index.js no-manifest/index file file.js
  null null/x.js damaged-main string_decoder string_decoder/ fs node:fs fs/promises
  nested nested/index.js app app/own app/lib.js #lib #out #dep #fs #bare-fs #in/one.js #in/deep/two.js #in/deep/two
  #no #gone # .hidden -dash nested/node_modules/dual`
    .split(/\s+/)
    .concat("./a b.js");

describe("a name leads to the file that Node loads", () => {
  it("for planted packages of every kind", () => {
    const dir = realpathSync(temporaryDirectory());
    writeFiles(dir, files);
    const importers = ["main.js", "src/one.js", "node_modules/nested/index.js", "util/index.js"];
    compare(
      importers.flatMap((importer) =>
        specifiers.flatMap((specifier): Question[] => {
          const file = path.join(dir, importer);
          return [
            [specifier, file, "require"],
            [specifier, file, "import"],
          ];
        }),
      ),
    );
  });

  it("for the packages that this project is made with", () => {
    const importer = path.join(root, "builder/index.ts");
    const names =
      `esbuild @vercel/nft semver semver/functions/gte.js picomatch tar tar/create hash-wasm yazl
      cli-progress vitest vitest/config vitest/node typescript @biomejs/biome knip acorn vite chai chai/index.js
      magic-string std-env tinyexec pathe node-gyp-build`.split(/\s+/);
    compare(
      names.flatMap((name): Question[] => [
        [name, importer, "require"],
        [name, importer, "import"],
      ]),
    );
  });

  it("for a Node that does not know module-sync", () => {
    const dir = realpathSync(temporaryDirectory());
    writeFiles(dir, files);
    const importer = path.join(dir, "main.js");
    const found = (node: string) => new NodeResolver(node).resolve("dual", importer, "require");
    expect(found("22.11.0")).toEqual({ file: path.join(dir, "node_modules/dual/index.js") });
    expect(found("22.12.0")).toEqual({ file: path.join(dir, "node_modules/dual/sync.mjs") });
  });
});
