/** Node warns of what the app's own code does, and not of what bundled packages do. */
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { type Files, writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { bundle, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** What Node has on its list: it warns outside of node_modules alone. */
const calls: Record<string, string> = {
  DEP0005: 'new Buffer("text")',
  DEP0040: 'load("punycode")',
  DEP0169: 'load("url").parse("http://host/")',
};

const packages: Files = Object.fromEntries(
  Object.entries(calls).flatMap(([code, call]) => {
    const at = `node_modules/${code.toLowerCase()}`;
    const script = call.replace("load", "require");
    const module = `import url from "url"; import { createRequire } from "module";
      export const go = () => ${call.replace("load", '((name) => name === "url" ? url : process.getBuiltinModule(name))')};`;
    return [
      [
        `${at}/package.json`,
        JSON.stringify({ name: code, exports: { import: "./m.mjs", require: "./s.js" } }),
      ],
      [`${at}/s.js`, `exports.go = () => ${script};`],
      [`${at}/m.mjs`, module.replace('import { createRequire } from "module";', "")],
      [`${at}-late/package.json`, `{ "name": "${code}-late" }`],
      [
        `${at}-late/index.js`,
        `exports.go = () => setTimeout(() => process.nextTick(() => ${script}), 1);`,
      ],
    ];
  }),
);

const codes = Object.keys(calls);
const names = codes.map((code) => code.toLowerCase());
const own = `const load = (name) => process.getBuiltinModule(name);
const own = { ${codes.map((code) => `"${code}": () => { ${calls[code]}; }`).join(", ")} };
for (const code of process.argv.slice(2)) own[code]?.();`;

const files: Files = {
  ...packages,
  "package.json": JSON.stringify({
    name: "app",
    main: "main.js",
    dependencies: Object.fromEntries(
      names.flatMap((name) => [
        [name, "1"],
        [`${name}-late`, "1"],
      ]),
    ),
  }),
  "main.js": `const { Worker } = require("worker_threads"); ${own}
if (process.argv.length === 2) {
  ${names.map((name) => `require("${name}").go(); require("${name}-late").go();`).join("\n  ")}
  new Worker(new URL("./worker.js", require("url").pathToFileURL(__filename)));
}`,
  "worker.js": names.map((name) => `require("${name}").go();`).join("\n"),
  "main.mjs": `${names.map((name, i) => `import { go as go${i} } from "${name}";`).join("\n")}
${own}
if (process.argv.length === 2) { ${names.map((_, i) => `go${i}();`).join(" ")} }`,
};

let dir: string;
const out = (name: string) => path.join(dir, `${name}.run`);

beforeAll(async () => {
  dir = temporaryDirectory();
  writeFiles(path.join(dir, "app"), files);
  for (const entry of ["main.js", "main.mjs"]) {
    const args = ["build", "app", "--entry", entry, "-o", out(entry), "--compression", "zstd:1"];
    const outcome = await bundle(args, { cwd: dir });
    expect(outcome).toMatchObject({ status: 0, stdout: expect.stringContaining("bundled") });
  }
});

describe.each(["main.js", "main.mjs"])("a bundled %s", (entry) => {
  const check = skipUnless("fuse", "userns");
  const told = async (args: string[], env = {}) => {
    const { status, stderr } = await run(out(entry), args, { env });
    expect({ status, errors: stderr.match(/Error: .*/g) }).toEqual({ status: 0, errors: null });
    return [...stderr.matchAll(/\[(DEP\d+)\]/g)].map(([, code]) => code).sort();
  };

  check("is silent of what packages call", async () => {
    expect(await told([])).toEqual([]);
  });

  check("warns of what its own code calls", async () => {
    expect(await told(codes)).toEqual(codes);
  });

  check("warns of packages too where Node does", async () => {
    expect(new Set(await told([], { NODE_PENDING_DEPRECATION: "1" }))).toEqual(
      new Set(["DEP0005"]),
    );
  });
});
