/**
 * Apps whose files lie in every way that package managers and people have: what they print as a
 * bundle, when the folder that they were packed from is gone, is what they print there.
 */
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect } from "vitest";
import { type Files, writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { bundle, run } from "../support/process.ts";
import { startAsEveryone } from "../support/start.ts";
import { temporaryDirectory } from "../support/temporary.ts";

interface Layout {
  /** Below a folder; the app is `work/app` unless said otherwise. */
  files: Files;
  /** More of them, which is more than a table can say. @param dir holds `work` */
  prepare?: (dir: string) => void;
  /** Program of the app; default index.js. */
  main?: string;
  options?: readonly string[];
  /** What stderr of a build may and must hold besides; default: nothing. */
  warns?: Record<"bundled" | "as it is", RegExp>;
}

const modules = "work/app/node_modules";
const store = `${modules}/.pnpm`;
const print = (what: string) => `console.log(${what})`;
const read = (name: string) =>
  `require("node:fs").readFileSync(require("node:path").join(__dirname, "${name}"), "utf8").trim()`;
/** A package that has to stay files, because it asks for its place. */
const located = (name: string) => `exports.${name} = require("node:path").basename(__dirname);`;
const json = (value: object) => JSON.stringify(value);
const app = (dependencies: object = {}, more: object = {}) => ({
  "work/app/package.json": json({ name: "app", dependencies, ...more }),
});

const layouts: Record<string, Layout> = {
  "pnpm: a package that stays files and the link to it": {
    files: {
      ...app({ stays: "1" }),
      "work/app/index.js": print('require("stays"), require("stays/more")'),
      [`${store}/stays@1/node_modules/stays/package.json`]: json({ dependencies: { below: "1" } }),
      [`${store}/stays@1/node_modules/stays/index.js`]: `${located("a")} exports.b = require("below");`,
      [`${store}/stays@1/node_modules/stays/more.js`]: 'exports.same = require("./index.js").b;',
      [`${store}/below@1/node_modules/below/index.js`]: located("below"),
      [`${store}/stays@1/node_modules/below`]: { link: "../../below@1/node_modules/below" },
      [`${modules}/stays`]: { link: ".pnpm/stays@1/node_modules/stays" },
    },
  },
  "pnpm: packages with programs, whose links nobody has made": {
    files: {
      ...app({ tool: "1" }),
      "work/app/index.js": print('require("tool")'),
      [`${store}/tool@1/node_modules/tool/package.json`]: json({
        bin: "cli.js",
        name: "tool",
        dependencies: { below: "1" },
      }),
      [`${store}/tool@1/node_modules/tool/cli.js`]: "",
      [`${store}/tool@1/node_modules/tool/index.js`]: located("tool"),
      [`${store}/below@1/node_modules/below/package.json`]: json({
        bin: { one: "1.js", two: "2.js" },
      }),
      [`${store}/below@1/node_modules/below/1.js`]: "",
      [`${store}/below@1/node_modules/below/2.js`]: "",
      [`${store}/tool@1/node_modules/below`]: { link: "../../below@1/node_modules/below" },
      [`${modules}/tool`]: { link: ".pnpm/tool@1/node_modules/tool" },
    },
  },
  "pnpm: an asset of a package by its path in node_modules": {
    files: {
      ...app({ fonts: "1" }),
      "work/app/index.js": print(read("node_modules/fonts/a.txt")),
      [`${store}/fonts@1/node_modules/fonts/package.json`]: "{}",
      [`${store}/fonts@1/node_modules/fonts/a.txt`]: "font",
      [`${modules}/fonts`]: { link: ".pnpm/fonts@1/node_modules/fonts" },
    },
  },
  "pnpm: a package under another name": {
    files: {
      ...app({ other: "npm:stays@1" }),
      "work/app/index.js": print('require("other")'),
      [`${store}/stays@1/node_modules/stays/package.json`]: "{}",
      [`${store}/stays@1/node_modules/stays/index.js`]: located("a"),
      [`${modules}/other`]: { link: ".pnpm/stays@1/node_modules/stays" },
    },
  },
  "workspaces: a package of another folder, with dependencies above both": {
    files: {
      ...app({ "@w/lib": "1" }),
      "work/app/index.js": print('require("@w/lib")'),
      "work/packages/lib/package.json": json({ name: "@w/lib", dependencies: { deep: "1" } }),
      "work/packages/lib/index.js": `module.exports = [require("deep"), ${read("data.txt")}];`,
      "work/packages/lib/data.txt": "data of lib",
      "work/node_modules/deep/index.js": located("deep"),
      "work/node_modules/@w/lib": { link: "../../packages/lib" },
    },
  },
  "npm link: a folder elsewhere with packages of its own": {
    files: {
      ...app({ lib: "1" }),
      "work/app/index.js": print('require("lib")'),
      [`${modules}/lib`]: { link: "../../../elsewhere/lib" },
      "elsewhere/lib/package.json": json({ name: "lib", dependencies: { own: "1" } }),
      "elsewhere/lib/index.js": `module.exports = [require("own"), ${read("data.txt")}];`,
      "elsewhere/lib/data.txt": "data of lib",
      "elsewhere/lib/node_modules/own/index.js": located("own"),
    },
  },
  "node_modules is itself a link": {
    files: {
      ...app({ stays: "1" }),
      "work/app/index.js": print('require("stays")'),
      "cache/node_modules/stays/index.js": `${located("a")} exports.b = require("below").below;`,
      "cache/node_modules/stays/package.json": json({ dependencies: { below: "1" } }),
      "cache/node_modules/below/index.js": located("below"),
      "work/app/node_modules": { link: "../../cache/node_modules" },
    },
  },
  "a package that was hoisted and is not listed": {
    files: {
      ...app({ listed: "1" }, { devDependencies: { tool: "1" } }),
      "work/app/index.js": `${print('require("hoisted")')}; import("late").then(({ default: d }) => ${print("d")})`,
      [`${modules}/listed/index.js`]: "",
      [`${modules}/hoisted/index.js`]: located("hoisted"),
      [`${modules}/late/index.js`]: located("late"),
      [`${modules}/tool/index.js`]: "",
    },
  },
  "a package that another one uses without listing it": {
    files: {
      ...app({ careless: "1" }),
      "work/app/index.js": print('require("careless")'),
      [`${modules}/careless/package.json`]: "{}",
      [`${modules}/careless/index.js`]: `${located("a")} exports.b = require("hoisted/sub");`,
      [`${modules}/hoisted/sub.js`]: 'module.exports = require("./part")',
      [`${modules}/hoisted/part.js`]: 'module.exports = "part"',
    },
  },
  "packages of a folder without a package.json": {
    files: {
      "work/app/index.js":
        'const name = "by" + "name"; console.log(require("static"), require(name), require("@s/scoped"))',
      [`${modules}/static/index.js`]: located("a"),
      [`${modules}/byname/index.js`]: located("b"),
      [`${modules}/@s/scoped/index.js`]: located("c"),
    },
  },
  "a development dependency that the program needs": {
    files: {
      ...app({}, { devDependencies: { wrong: "1" } }),
      "work/app/index.js": print('require("wrong")'),
      [`${modules}/wrong/index.js`]: located("wrong"),
    },
  },
  "a package that is one file": {
    files: {
      ...app(),
      "work/app/index.js": print('require("single")'),
      [`${modules}/single.js`]: located("single"),
    },
  },
  "a client that was generated into .prisma": {
    files: {
      ...app({ "@prisma/client": "1" }),
      "work/app/index.js": print('require("@prisma/client").model()'),
      [`${modules}/@prisma/client/package.json`]: json({ main: "default.js" }),
      [`${modules}/@prisma/client/default.js`]:
        'module.exports = require(".prisma/client/default")',
      [`${modules}/@prisma/client/runtime.js`]: 'exports.helper = "helped";',
      [`${modules}/.prisma/client/package.json`]: json({
        name: ".prisma/client",
        main: "index.js",
      }),
      [`${modules}/.prisma/client/default.js`]: 'module.exports = require("./index")',
      [`${modules}/.prisma/client/index.js`]: `const { helper } = require("@prisma/client/runtime"); exports.model = () => helper + ${read("schema.prisma")};`,
      [`${modules}/.prisma/client/schema.prisma`]: "model",
    },
  },
  "pnpm: a client that was generated beside the package in the store": {
    files: {
      ...app({ "@prisma/client": "1" }),
      "work/app/index.js": print('require("@prisma/client").model()'),
      [`${store}/client@1/node_modules/@prisma/client/package.json`]: "{}",
      [`${store}/client@1/node_modules/@prisma/client/index.js`]:
        'module.exports = require(".prisma/client")',
      [`${store}/client@1/node_modules/.prisma/client/package.json`]: json({ main: "index.js" }),
      [`${store}/client@1/node_modules/.prisma/client/index.js`]: `exports.model = () => ${read("schema")};`,
      [`${store}/client@1/node_modules/.prisma/client/schema`]: "model",
      [`${modules}/@prisma/client`]: { link: "../.pnpm/client@1/node_modules/@prisma/client" },
    },
  },
  "a generated folder without a package.json, asked for by the app": {
    files: {
      ...app(),
      "work/app/index.js": print('require(".generated/config")'),
      [`${modules}/.generated/config.js`]: `module.exports = ${read("values.txt")}`,
      [`${modules}/.generated/values.txt`]: "values",
    },
  },
  "a generated package that is only found at run time": {
    files: {
      ...app({ orm: "1" }),
      "work/app/index.js": print('require("orm")'),
      [`${modules}/orm/index.js`]:
        'const name = [".orm", "client"].join("/"); module.exports = require(name);',
      [`${modules}/.orm/client/package.json`]: json({ name: "generated" }),
      [`${modules}/.orm/client/index.js`]: 'module.exports = "generated";',
    },
    options: ["--include", "node_modules/.orm"],
  },
  "a source above the folder, with what it imports": {
    files: {
      ...app(),
      "work/app/index.js": print('require("../shared/part")'),
      "work/shared/part.js": `module.exports = [require("stays"), require("./list.json"), ${read("data.txt")}];`,
      "work/shared/list.json": "[1, 2]",
      "work/shared/data.txt": "shared",
      "work/node_modules/stays/index.js": located("stays"),
    },
  },
  "a module above the folder, which its package.json makes one": {
    files: {
      ...app(),
      "work/app/index.js": `import("../shared/part.js").then((part) => ${print("part.default")})`,
      "work/shared/package.json": json({ type: "module" }),
      "work/shared/part.js": "export default import.meta.filename === undefined;",
    },
  },
  "what a require of its own asks for": {
    files: {
      ...app({ stays: "1" }, { type: "module" }),
      "work/app/index.js": `import { createRequire } from "node:module";
        const require = createRequire(import.meta.url);
        ${print('require("stays"), require("unlisted"), require("./part.cjs"), require("./list.json")')}`,
      "work/app/part.cjs": 'module.exports = require("below");',
      "work/app/list.json": "[1]",
      [`${modules}/stays/index.js`]: 'module.exports = "stays"',
      [`${modules}/unlisted/index.js`]: 'module.exports = "unlisted"',
      [`${modules}/below/index.js`]: 'module.exports = "below"',
    },
  },
  "pnpm: what a package asks for by a require of its own": {
    files: {
      ...app({ maker: "1" }),
      "work/app/index.js": print('require("maker")'),
      [`${store}/maker@1/node_modules/maker/package.json`]: "{}",
      [`${store}/maker@1/node_modules/maker/index.js`]:
        'const ask = require("node:module").createRequire(__filename); module.exports = ask("peer");',
      [`${store}/peer@1/node_modules/peer/index.js`]: 'module.exports = "peer";',
      [`${store}/maker@1/node_modules/peer`]: { link: "../../peer@1/node_modules/peer" },
      [`${modules}/maker`]: { link: ".pnpm/maker@1/node_modules/maker" },
    },
  },
  "links among assets": {
    files: {
      ...app(),
      "work/app/index.js": `const fs = require("node:fs"), path = require("node:path");
        const assets = path.join(__dirname, "assets");
        for (const name of fs.readdirSync(assets).sort()) {
          const file = path.join(assets, name);
          const text = fs.statSync(file).isDirectory() ? fs.readdirSync(file) : fs.readFileSync(file, "utf8");
          console.log(name, fs.lstatSync(file).isSymbolicLink(), text);
        }
        ${print(`${read("folder/in.txt")}, ${read("one.txt")}`)}`,
      "work/app/assets/README.md": "read me",
      "work/app/assets/source.c": "int x;",
      "work/app/assets/file.txt": { link: "../data/a.txt" },
      "work/app/assets/folder": { link: "../data" },
      "work/app/assets/chain.txt": { link: "file.txt" },
      "work/app/assets/outside.txt": { link: "../../outside/o.txt" },
      "work/app/assets/outside": { link: "../../outside" },
      "work/app/data/a.txt": "a",
      "work/app/data/in.txt": { link: "../deeper/in.txt" },
      "work/app/deeper/in.txt": "in",
      "work/app/folder": { link: "data" },
      "work/app/one.txt": { link: "assets/chain.txt" },
      "work/outside/o.txt": "o",
    },
    prepare(dir) {
      symlinkSync(`${dir}/work/app/data/a.txt`, `${dir}/work/app/assets/absolute.txt`);
      mkdirSync(`${dir}/work/app/assets/empty`);
    },
  },
  "links to nothing, told once": {
    files: {
      ...app(),
      "work/app/index.js": `const fs = require("node:fs"), path = require("node:path");
        const assets = path.join(__dirname, "assets");
        console.log(fs.readdirSync(assets), fs.readlinkSync(path.join(assets, "gone")));
        try { fs.readFileSync(path.join(assets, "a")) } catch (error) { console.log(error.code) }`,
      "work/app/assets/gone": { link: "nowhere" },
      "work/app/assets/a": { link: "b" },
      "work/app/assets/b": { link: "a" },
    },
    warns: {
      bundled: /^bundle: warning: links to nothing .*assets\/gone → nowhere \[W_LINK_BROKEN\]\n$/,
      "as it is": /^bundle: warning: links to nothing .* \[W_LINK_BROKEN\]\n$/,
    },
  },
  "assets by URL, of a module": {
    files: {
      ...app({}, { type: "module" }),
      "work/app/index.js": `import { readFileSync } from "node:fs";
        console.log(readFileSync(new URL("./linked/a.txt", import.meta.url), "utf8"));
        console.log(readFileSync(new URL("../beside.txt", import.meta.url), "utf8"));`,
      "work/app/linked": { link: "real" },
      "work/app/real/a.txt": "a",
      "work/beside.txt": "beside",
    },
  },
  "names that are not UTF-8, by their folder and by --include": {
    files: {
      ...app(),
      "work/app/index.js": `const fs = require("node:fs"), path = require("node:path");
        for (const dir of [path.join(__dirname, "named"), [__dirname, "included"].join("/")]) {
          for (const name of fs.readdirSync(dir, "buffer").sort(Buffer.compare)) {
            const file = Buffer.concat([Buffer.from(dir + "/"), name]);
            console.log(name.toString("hex"), fs.readFileSync(file, "utf8"));
          }
        }`,
    },
    prepare(dir) {
      for (const folder of ["named", "included"]) {
        mkdirSync(`${dir}/work/app/${folder}`);
        for (const byte of ["\xe9", "\xe8", "\xff"]) {
          writeFileSync(Buffer.from(`${dir}/work/app/${folder}/n${byte}`, "latin1"), byte);
        }
      }
    },
    options: ["--include", "included"],
  },
  "assets by templates and globs in their names": {
    files: {
      ...app(),
      "work/app/index.js": `const fs = require("node:fs"), path = require("node:path");
        const texts = path.join(__dirname, "locales/{{lng}}/{{ns}}.json");
        const text = (lng, ns) => fs.readFileSync(texts.replace("{{lng}}", lng).replace("{{ns}}", ns), "utf8");
        console.log(text("de", "app"), text("en", "app"));
        const page = (name) => require("node:util").format(__dirname + "/pages/%s.html", name);
        console.log(fs.readFileSync(page("one"), "utf8"), fs.readFileSync(page("two"), "utf8"));
        const queries = path.resolve(__dirname, "db", "**", "*.{sql,cql}");
        console.log(fs.readdirSync(queries.slice(0, queries.indexOf("*")), { recursive: true }).sort());`,
      "work/app/locales/de/app.json": '"ja"',
      "work/app/locales/en/app.json": '"yes"',
      "work/app/pages/one.html": "1",
      "work/app/pages/two.html": "2",
      "work/app/db/a.sql": "a",
      "work/app/db/deep/b.cql": "b",
    },
  },
  "scripts that a package loads by a glob": {
    files: {
      ...app({ orm: "1" }),
      "work/app/index.js":
        'console.log(require("orm").load(require("node:path").join(__dirname, "entity/*.js")))',
      "work/app/entity/user.js": 'require("orm").add("user", require("../part"))',
      "work/app/entity/group.js": 'require("orm").add("group")',
      "work/app/part.js": "module.exports = 1;",
      [`${modules}/orm/index.js`]: `const found = [], fs = require("node:fs"), path = require("node:path");
        exports.add = (...words) => found.push(words);
        exports.load = (glob) => {
          const dir = path.dirname(glob);
          for (const name of fs.readdirSync(dir).sort()) require(path.join(dir, name));
          return found;
        };`,
    },
  },
  "files that are included through links": {
    files: {
      ...app(),
      "work/app/index.js": `const text = (name) => require("node:fs").readFileSync([__dirname, name].join("/"), "utf8");
        console.log(text("linked/a.txt"), text("out/o.txt"), text("one.txt"))`,
      "work/app/linked": { link: "real" },
      "work/app/real/a.txt": "a",
      "work/app/real/b.txt": "b",
      "work/app/out": { link: "../outside" },
      "work/app/one.txt": { link: "real/b.txt" },
      "work/outside/o.txt": "o",
    },
    options: ["--include", "linked/*.txt", "--include", "out", "--include", "one.txt"],
  },
  "an --include that matches nothing": {
    files: { ...app(), "work/app/index.js": print("1") },
    options: ["--include", "public/**"],
    warns: {
      bundled: /warning: public\/\*\* is to be included and matches nothing \[W_INCLUDE\]/,
      "as it is": /warning: public\/\*\* is to be included and matches nothing \[W_INCLUDE\]/,
    },
  },
};

async function compare(
  { files, prepare, main = "index.js", options = [], warns }: Layout,
  how: "bundled" | "as it is",
): Promise<void> {
  const dir = temporaryDirectory();
  writeFiles(dir, files);
  prepare?.(dir);
  const source = path.join(dir, "work/app");
  const expected = await run(process.execPath, [path.join(source, main)]);
  expect(expected).toMatchObject({ status: 0, stderr: "" });
  const out = path.join(dir, "out");
  const more = how === "bundled" ? [] : ["--no-bundle"];
  const built = await bundle(["build", source, "-o", out, "--node", "none", ...more, ...options]);
  expect(built.status, built.stderr).toBe(0);
  expect(built.stderr).toMatch(warns?.[how] ?? /^$/);
  for (const folder of ["work", "elsewhere", "cache"].filter((name) =>
    Object.keys(files).some((file) => file.startsWith(`${name}/`)),
  )) {
    renameSync(path.join(dir, folder), path.join(dir, `${folder}-gone`));
  }
  expect(await startAsEveryone(out, 1)).toEqual([expected.stdout, expected.stdout]);
}

describe.concurrent.each(["bundled", "as it is"] as const)("%s:", (how) => {
  for (const [name, layout] of Object.entries(layouts)) {
    skipUnless("userns", "fuse")(name, () => compare(layout, how));
  }
});
