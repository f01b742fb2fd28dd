/** What a bundler could change, one kind each. All of them print something. */
import type { Files } from "../support/case.ts";

interface App {
  files: Files;
  how: "bundled" | "as it is";
}

const manifest = (more: object) => JSON.stringify({ name: "t", version: "1.0.0", ...more });
const commonjs = manifest({ main: "main.js" });
const module = manifest({ type: "module", main: "main.js" });
const depending = (...names: string[]) => ({
  dependencies: Object.fromEntries(names.map((name) => [name, "1.0.0"])),
});
const dependency = (name: string, more: object = {}) => ({
  [`node_modules/${name}/package.json`]: JSON.stringify({
    name,
    version: "1.0.0",
    main: "index.js",
    ...more,
  }),
});

const bundled = (files: Files): App => ({ files, how: "bundled" });
const asItIs = (files: Files): App => ({ files, how: "as it is" });

const names = `export class Job { run() { return this.constructor.name; } }
export function send() { const inner = () => 1; return inner.name; }
export const arrow = () => 1;
export const late = async function () {};
export class Failed extends Error { get name() { return new.target?.name ?? this.constructor.name; } }
export default () => 2;
`;

const show = "const show = (...all) => console.log(JSON.stringify(all));\n";

/** Apps in JavaScript, compared with what Node prints. */
export const apps: Record<string, App> = {
  "equal names in two modules": bundled({
    "package.json": module,
    "a.js": names,
    "b.js": names,
    "main.js": `import * as a from "./a.js"; import * as b from "./b.js"; ${show}
      for (const m of [a, b]) show(new m.Job().run(), m.send.name, m.send(), m.arrow.name, m.late.name,
        new m.Failed("x").name, m.default.name, Object.keys(m));`,
  }),
  "names of nested functions and of classes in functions": bundled({
    "package.json": module,
    "a.js": "export class Row {} export function init() { class Row {} return Row.name; }",
    "b.js":
      "export function init() { function Row() {} const fetch = () => 0; return Row.name + fetch.name; } export class Row {}",
    "main.js": `import * as a from "./a.js"; import * as b from "./b.js"; ${show}
      show(a.init(), b.init(), a.Row.name, b.Row.name, a.init.name, b.init.name);`,
  }),
  "classes that name themselves": bundled({
    "package.json": module,
    "a.js":
      "export class Duration { static of() { return new Duration(); } } export default class Kind { same() { return Kind; } } class $a { b = $a.name } export const c = new $a().b;",
    "main.js": `import Kind, { Duration, c } from "./a.js"; ${show} show(Duration.name, Duration.of().constructor.name, Kind.name, new Kind().same() === Kind, c);`,
  }),
  "names as other tools write them": bundled({
    "package.json": module,
    // In one line, behind comments, in parentheses, and with lines that others count otherwise.
    "a.js":
      '"use strict";class Min{static of(){return new Min}}function/* a */run(){}var say=(/* b */function(){});export{Min,run,say};',
    "b.js":
      "// a\r\nexport const text = '\u2028';\r\nclass /* c */\r\n Min { static of() { return new Min(); } }\r\nlet run\r\n = // d\r\n async x => x;\r\nexport { Min, run };\r\n",
    // A map says what names were before they were made smaller.
    ...dependency("mapped", { type: "module" }),
    "node_modules/mapped/index.js":
      "class Min { static of() { return new Min(); } }\nfunction say() {} class e2 {}\nexport const all = [Min, say, e2];\n//# sourceMappingURL=index.js.map\n",
    "node_modules/mapped/index.js.map": JSON.stringify({
      version: 3,
      sources: ["../src/index.ts"],
      names: ["Container", "greet", "third"],
      mappings: "AAAA,MAAMA,GAAG;AACT,SAASC,GAAG,YAASC;AACZ",
    }),
    "main.js": `import * as a from "./a.js"; import * as b from "./b.js"; import { all } from "mapped"; ${show}
      class Min { static of() { return Min; } } function run() {} function say() {} class e2 {}
      show(...[a.Min, a.run, a.say, b.Min, b.run, ...all, Min, run, say, e2].map(({ name }) => name));
      show(a.Min.of().constructor.name, b.Min.of().constructor.name, b.text, Min.of().name);`,
  }),
  "names in modules beside others": bundled({
    "package.json": module,
    "a.js":
      "export const { x: { y: run = function () {} } = {} } = {}; export let late; late ??= (class {}); export function* each() {} ",
    "b.js":
      "export const run = (() => 1), [late = async function () {}] = []; export async function each() {} export class Min { static #x = Min; static x() { return Min.#x; } }",
    "main.js": `import * as a from "./a.js"; import * as b from "./b.js"; class Min { static y = Min.name; } ${show}
      show(...[a.run, a.late, a.each, b.run, b.late, b.each, b.Min, b.Min.x(), Min].map(({ name }) => name), Min.y);`,
  }),
  "a function whose text runs elsewhere": bundled({
    "package.json": module,
    "a.js":
      "export function page() { const add = (x) => x + 1; class Job {} return [add(1), add.name, Job.name]; } export const add = 1;",
    "b.js": "export class Job {} export const add = () => 1;",
    "main.js": `import { runInNewContext } from "node:vm"; import { page } from "./a.js"; import { Job, add } from "./b.js"; ${show}
      show(runInNewContext(\`(\${page})()\`), Job.name, add.name);`,
  }),
  "package.json says that there are no side effects": bundled({
    "package.json": manifest({ type: "module", main: "main.js", sideEffects: false }),
    ...dependency("poly", { type: "module", sideEffects: ["*.css"] }),
    "node_modules/poly/index.js": 'globalThis.poly = "dep"; export const unused = 1;',
    "register.js": 'globalThis.routes = "app";',
    "main.js": `import { unused } from "poly"; import "./register.js"; ${show} show(globalThis.poly, globalThis.routes);`,
  }),
  "a call that is said to be pure": bundled({
    "package.json": module,
    "lib.js":
      "export const unused = /* @__PURE__ */ register(); function register() { globalThis.seen = 1; }\n/* @__NO_SIDE_EFFECTS__ */ export function note() { globalThis.noted = 1; }",
    "main.js": `import { note } from "./lib.js"; note(); ${show} show(globalThis.seen, globalThis.noted);`,
  }),
  "JavaScript beside TypeScript of the same name": bundled({
    "package.json": commonjs,
    "lib.js": 'module.exports = "lib.js";',
    "lib.ts": 'export = "stale";',
    "conf.json": '{ "of": "conf.json" }',
    "conf.ts": 'export const of = "stale";',
    "util/index.js": 'exports.of = "util/index.js";',
    "util/index.tsx": 'export const of = "stale";',
    "main.js": `${show} show(require("./lib"), require("./conf").of, require("./util").of);`,
  }),
  "conditions of exports, and fields for browsers": bundled({
    "package.json": module,
    ...dependency("dual", {
      exports: {
        ".": { module: "./bundler.js", browser: "./web.js", import: "./m.mjs", require: "./c.cjs" },
      },
    }),
    "node_modules/dual/bundler.js": 'export default "bundler";',
    "node_modules/dual/web.js": 'export default "web";',
    "node_modules/dual/m.mjs": 'export default "import";',
    "node_modules/dual/c.cjs": 'module.exports = "require";',
    ...dependency("old", { module: "esm.js", browser: { "./index.js": "./web.js" } }),
    "node_modules/old/esm.js": 'export default "esm";',
    "node_modules/old/web.js": 'module.exports = "web";',
    "node_modules/old/index.js": 'module.exports = "main";',
    "main.js": `import dual from "dual"; import old from "old"; import other from "./other.cjs"; ${show} show(dual, old, other);`,
    "other.cjs": 'module.exports = [require("dual"), require("old")];',
  }),
  "paths of tsconfig.json are not for JavaScript": bundled({
    "package.json": commonjs,
    "tsconfig.json":
      '{ "compilerOptions": { "baseUrl": ".", "paths": { "greet": ["./src/greet.js"], "@/*": ["./src/*"] } } }',
    "src/greet.js": 'module.exports = "by tsconfig";',
    ...dependency("greet"),
    "node_modules/greet/index.js": 'module.exports = "by Node";',
    "main.js": `${show} show(require("greet")); try { require("@/greet"); } catch (error) { show(error.code); }`,
  }),
  "the package itself, and its private names": bundled({
    "package.json": manifest({
      main: "main.js",
      exports: { ".": "./main.js", "./tool": "./tool.js" },
      imports: { "#conf": { node: "./conf.js", default: "./web.js" } },
    }),
    "tool.js": 'module.exports = "tool";',
    "conf.js": 'module.exports = "conf";',
    "web.js": 'module.exports = "web";',
    "main.js": `${show} show(require("t/tool"), require("#conf"));`,
  }),
  "a package named like a module of Node": bundled({
    "package.json": commonjs,
    ...dependency("punycode"),
    ...dependency("events"),
    "node_modules/punycode/index.js": 'exports.of = "package";',
    "node_modules/events/index.js": 'exports.of = "package";',
    "main.js": `${show} show(require("events").of, require("events/").of, require("punycode/").of);`,
  }),
  "CommonJS that is not strict, imported by a module": bundled({
    "package.json": module,
    ...dependency("sloppy"),
    "node_modules/sloppy/index.js": `undeclared = 1;
      with ({ inside: 2 }) { exports.inside = inside; }
      exports.octal = 010;
      exports.self = (function () { return this === globalThis; })();
      exports.callee = (function () { return typeof arguments.callee; })();
      exports.top = this === exports;
      exports.swapped = (function (a) { arguments[0] = 2; return a; })(1);
      var frozen = Object.freeze({ a: 1 }); frozen.a = 2; exports.frozen = frozen.a;
      exports.gone = delete exports.nothing;`,
    "main.js": `import sloppy, { octal } from "sloppy"; ${show} show(sloppy, octal, globalThis.undeclared);`,
  }),
  "the order of modules and CommonJS": bundled({
    "package.json": module,
    ...dependency("first"),
    "node_modules/first/index.js": "(globalThis.order ??= []).push('first');",
    "second.js": "(globalThis.order ??= []).push('second');",
    "third.cjs": "(globalThis.order ??= []).push('third');",
    "fourth.js": "import './third.cjs'; (globalThis.order ??= []).push('fourth');",
    "main.js": `import "first"; import "./second.js"; import "./fourth.js"; ${show} show(globalThis.order);`,
  }),
  "what a module sees of CommonJS": bundled({
    "package.json": module,
    ...dependency("compiled"),
    "node_modules/compiled/index.js":
      'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = "inner"; exports.named = 1; exports["a b"] = 2;',
    ...dependency("again"),
    "node_modules/again/index.js": 'module.exports = require("compiled");',
    ...dependency("callable"),
    "node_modules/callable/index.js":
      "module.exports = function it() { return 1; }; module.exports.extra = 2;",
    ...dependency("nothing"),
    "node_modules/nothing/index.js": "module.exports = null;",
    "main.js": `import compiled, { named } from "compiled"; import * as all from "compiled"; import * as again from "again";
      import callable, { extra } from "callable"; import nothing from "nothing"; import conf from "./conf.cjs"; ${show}
      const later = await import("compiled");
      show(compiled, named, all.default, all.named, again.named, callable(), extra, callable.name, nothing, conf, later.named,
        compiled === again.default, Object.keys(all).filter((name) => name !== "module.exports"));`,
    "conf.cjs": 'module.exports = require("./conf.json");',
    "conf.json": '{ "__proto__": 1, "a": [1] }',
  }),
  "a package that is a module for import and CommonJS for require": bundled({
    "package.json": module,
    ...dependency("state", { exports: { import: "./m.mjs", require: "./c.cjs" } }),
    "node_modules/state/m.mjs": "export const of = 'm'; export const list = [];",
    "node_modules/state/c.cjs": "exports.of = 'c'; exports.list = [];",
    ...dependency("user"),
    "node_modules/user/index.js": "exports.state = require('state');",
    "main.js": `import * as state from "state"; import user from "user"; ${show} show(state.of, user.state.of, state.list === user.state.list);`,
  }),
  "CommonJS that throws is tried again": bundled({
    "package.json": commonjs,
    "part.js":
      "globalThis.tries = (globalThis.tries ?? 0) + 1; if (globalThis.tries < 2) throw new Error('once'); module.exports = globalThis.tries;",
    "main.js": `${show} try { require("./part"); } catch (error) { show(error.message); } show(require("./part"));`,
  }),
  "a name that is tried": bundled({
    "package.json": commonjs,
    ...dependency("loose"),
    "node_modules/loose/index.js":
      'exports.found = (() => { try { return require("not-there"); } catch (error) { return error.code; } })();',
    "main.js": `${show} let found; try { found = require("fast-thing"); } catch { found = "slow"; } show(found, require("loose").found);`,
  }),
  "a package that guesses at files of its own": bundled({
    "package.json": commonjs,
    ...dependency("guess"),
    "node_modules/guess/index.js": `for (const load of [() => require("./build/Release/fast.node"), () => require("../gone/x"),
      () => require("guess/dist/fast"), () => require("./main.js")]) { try { load(); exports.found = "wrong"; } catch (error) { exports.code = error.code; } }`,
    "main.js": `${show} show(require("guess"));`,
  }),
  "names that are made at run time, without an ending": asItIs({
    "package.json": commonjs,
    "cmds/one.js": 'exports.of = "one";',
    "cmds/two/index.js": 'exports.of = "two";',
    "cmds/notes.md": "# no JavaScript",
    "cmds/view.ejs": "<%= x %>",
    "cmds/one.test.js": 'require("not-installed");',
    "cmds/template.js": "const {{name}} = 1;",
    "main.js": `${show} const name = (n) => n; show(require("./cmds/" + name("one")).of, require(\`./cmds/\${name("two")}\`).of);`,
  }),
  "the same in import()": asItIs({
    "package.json": module,
    "cmds/one.js": 'export const of = "one";',
    "cmds/notes.txt": "no JavaScript",
    "main.js": `${show} const name = "one"; show((await import(\`./cmds/\${name}.js\`)).of);`,
  }),
  "a file without an ending of JavaScript": asItIs({
    "package.json": commonjs,
    "part.jsm": "module.exports = 7;",
    "main.js": `${show} show(require("./part.jsm"));`,
  }),
  "CommonJS that imports a module with an await": asItIs({
    "package.json": manifest({ main: "main.cjs" }),
    "part.mjs": "export const of = await Promise.resolve('later');",
    "main.cjs": `${show} import("./part.mjs").then(({ of }) => show(of));`,
  }),
  "CommonJS that imports a package that is a module": bundled({
    "package.json": commonjs,
    ...dependency("modern", { type: "module", exports: "./index.js" }),
    "node_modules/modern/index.js":
      "export const of = await 1; export function self() { return this === undefined; }",
    "main.js": `${show} import("modern").then(({ of, self }) => show(of, (0, self)()));`,
  }),
  "a package that hooks Module._load": asItIs({
    "package.json": manifest({ main: "main.js", ...depending("tracer", "greet") }),
    ...dependency("tracer"),
    "node_modules/tracer/index.js": `const Module = require("module"); const load = Module._load;
      Module._load = function (name, ...rest) { const found = load.call(this, name, ...rest);
        return name === "greet" ? { hello: () => "traced " + found.hello() } : found; };`,
    ...dependency("greet"),
    "node_modules/greet/index.js": 'exports.hello = () => "hello";',
    "main.js": `require("tracer"); ${show} show(require("greet").hello());`,
  }),
  "a package that hooks Module.prototype.require": asItIs({
    "package.json": manifest({ main: "main.js", ...depending("ritm") }),
    ...dependency("ritm"),
    "node_modules/ritm/index.js": `const Module = require("module"); const real = Module.prototype.require;
      Module.prototype.require = function (name) { (globalThis.names ??= []).push(name); return real.call(this, name); };`,
    "lib.js": "exports.x = 1;",
    "main.js": `require("ritm"); ${show} require("./lib"); show(globalThis.names);`,
  }),
  "a package that hooks Module._resolveFilename": asItIs({
    "package.json": manifest({ main: "main.js", ...depending("alias") }),
    ...dependency("alias"),
    "node_modules/alias/index.js": `const Module = require("module"); const real = Module._resolveFilename;
      Module._resolveFilename = function (name, ...rest) { return real.call(this, name.replace(/^@app/, __dirname + "/../../src"), ...rest); };`,
    "src/part.js": "exports.of = 'aliased';",
    "main.js": `require("alias"); ${show} show(require("@app/part").of);`,
  }),
  "a look at require.cache": bundled({
    "package.json": commonjs,
    ...dependency("names"),
    "node_modules/names/index.js": `"use strict"; const path = require("node:path");
      exports.of = (value) => { for (const name of Object.keys(require.cache)) { if (require.cache[name].exports === value) return path.basename(name); } };`,
    "plugin.js": "module.exports = () => 1;",
    "main.js": `${show} const names = require("names"); show(names.of(require("./plugin")), names.of(names), names.of({}));`,
  }),
  "what is taken out of require.cache": asItIs({
    "package.json": commonjs,
    "conf.js": "module.exports = { n: (globalThis.n = (globalThis.n ?? 0) + 1) };",
    "main.js": `${show} const first = require("./conf").n; delete require.cache[require.resolve("./conf")]; show(first, require("./conf").n);`,
  }),
  "an extension of require": asItIs({
    "package.json": commonjs,
    "view.tpl": "hello {name}",
    "main.js": `require.extensions[".tpl"] = (module, file) => { module.exports = require("node:fs").readFileSync(file, "utf8"); };
      ${show} show(require("./view.tpl"));`,
  }),
  "direct eval": asItIs({
    "package.json": commonjs,
    "lib.js": "exports.secret = 7;",
    "main.js": `const lib = require("./lib"); ${show} show(eval("lib.secret"), eval("typeof module"));`,
  }),
  "a module of CommonJS looks at itself": asItIs({
    "package.json": commonjs,
    "lib.js":
      "exports.loaded = module.loaded; exports.up = module.parent?.filename.endsWith('main.js');",
    "main.js": `${show} show(require("./lib"));`,
  }),
  "whether a file is what was started": bundled({
    "package.json": commonjs,
    "lib.js": "exports.main = require.main === module;",
    "main.js": `${show} show(require("./lib").main, require.main === module);`,
  }),
  "a query makes another module of a file": asItIs({
    "package.json": module,
    "count.js": "export const id = Symbol();",
    "main.js": `import { id } from "./count.js"; import { id as other } from "./count.js?again"; ${show} show(id === other);`,
  }),
  "modules that import each other and are read too early": asItIs({
    "package.json": module,
    "a.js": 'import { b } from "./b.js"; export const a = "a"; export const seen = b;',
    "b.js":
      'import { a } from "./a.js"; let early; try { early = a; } catch (error) { early = error.name; } export const b = early;',
    "main.js": `import { seen } from "./a.js"; ${show} show(seen);`,
  }),
  "modules that import each other in functions": bundled({
    "package.json": module,
    "a.js": 'import { isOdd } from "./b.js"; export const isEven = (n) => n === 0 || isOdd(n - 1);',
    "b.js":
      'import { isEven } from "./a.js"; export const isOdd = (n) => n !== 0 && isEven(n - 1);',
    "main.js": `import { isEven } from "./a.js"; ${show} show(isEven(10));`,
  }),
};

/** Apps in TypeScript, which Node does not run as they are. */
export const typed: Record<string, { files: Files; prints: string }> = {
  "paths, endings of compilers, and the order of packages": {
    files: {
      "package.json": manifest({ main: "src/main.ts" }),
      "tsconfig.json": '{ "compilerOptions": { "paths": { "@/*": ["./src/*"] } } }',
      ...dependency("polyfill"),
      "node_modules/polyfill/index.js": "globalThis.ready = true;",
      ...dependency("compiled"),
      "node_modules/compiled/index.js":
        'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = "inner"; for (const n of ["hidden"]) exports[n] = 3;',
      "src/part.ts":
        "export const part: boolean = (globalThis as any).ready === true; export default class Job {}",
      "src/other.ts": "export class Job {} export enum Kind { A = 5 }",
      "src/data.json": '{ "version": 4 }',
      "src/main.ts": `import "polyfill"; import Job, { part } from "./part.js"; import { Job as Other, Kind } from "@/other";
        import inner, { hidden } from "compiled"; import { version } from "./data.json";
        console.log(part, Job.name, Other.name, Kind.A, inner, hidden, version);`,
    },
    prints: "true Job Job 5 inner 3 4\n",
  },
  "classes that name themselves, and equal names": {
    files: {
      "package.json": manifest({ main: "main.ts" }),
      "a.ts":
        "export class Kind { static of(): Kind { return new Kind(); } }\nexport const run = (a: number) => a;\nexport namespace Job { export const at: string = run.name; }",
      "b.ts":
        "export class Kind<T> { private same(): typeof Kind { return Kind; } at?: T }\nexport function run(): void {}\nexport default class {}",
      "main.ts": `import * as a from "./a"; import B, * as b from "./b"; class Run { static #x = Run.name; static x() { return Run.#x; } }
        console.log(a.Kind.name, a.Kind.of().constructor.name, a.run.name, a.Job.at, b.Kind.name, b.run.name, B.name, Run.name, Run.x());`,
    },
    prints: "Kind Kind run run Kind run default Run Run\n",
  },
  "a tracer sees packages": {
    files: {
      "package.json": manifest({ main: "main.ts" }),
      ...dependency("tracer"),
      "node_modules/tracer/index.js": `const Module = require("module"); const load = Module._load;
        Module._load = function (name, ...rest) { const found = load.call(this, name, ...rest);
          return name.includes("greet") ? { hello: () => "traced " + found.hello() } : found; };`,
      ...dependency("greet"),
      "node_modules/greet/index.js": 'exports.hello = () => "hello";',
      "main.ts": `import "tracer"; import { hello } from "greet"; enum Kind { A } console.log(Kind.A, hello());`,
    },
    prints: "0 traced hello\n",
  },
};
