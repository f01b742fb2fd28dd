import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { problemsOf } from "../../../scripts/check/package.mjs";
import { temporaryDirectory } from "../../support/temporary.ts";

const machines = [
  ...["x86_64", "aarch64", "riscv64"].flatMap((machine) =>
    ["front", "fuselage", "guest"].map((program) => `dist/runtime/${machine}/${program}`),
  ),
  "dist/native/linux-x64.node",
  "dist/native/linux-arm64.node",
  "dist/native/linux-riscv64.node",
  ...["x86_64", "aarch64", "riscv64"].flatMap((machine) =>
    ["loader", "variables"].map((stub) => `dist/stubs/${machine}/${stub}`),
  ),
  ...["x86_64", "aarch64", "riscv64"].flatMap((machine) =>
    ["libfuselage-mount.a", "pkgconfig/fuselage-mount.pc"].map((it) => `dist/lib/${machine}/${it}`),
  ),
  "dist/include/fuselage-mount.h",
];

/** A package without a fault; tests change it. */
const sound: Record<string, string> = {
  ...Object.fromEntries(machines.map((file) => [file, ""])),
  "package.json": JSON.stringify({
    bin: { tool: "dist/cli/main.js" },
    man: ["dist/man/tool.1"],
    exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
  }),
  "dist/cli/main.js": "",
  "dist/index.js": "",
  "dist/index.d.ts": 'export { a } from "./a/a.ts";\nexport type { B } from "./b.js";\n',
  "dist/a/a.d.ts": 'export declare const a: import("../c.ts").C;\nimport "node:fs";\n',
  "dist/b.d.ts": "export interface B {}\n",
  "dist/c.d.ts": "export interface C {}\n",
  "dist/man/tool.1": "",
  "docs/use.md": "[home](../README.md#top) [other](https://example.org/x) [all](../docs/)\n",
  "README.md": "[use](docs/use.md)\n\nIn a checkout:\n\n```sh\nnpm run demo\n```\n",
  LICENSE: "",
};

/** What is wrong with a package of these files; undefined takes one away. */
function look(changes: Record<string, string | undefined> = {}) {
  const dir = temporaryDirectory();
  const files = Object.entries({ ...sound, ...changes }).filter(([, text]) => text !== undefined);
  for (const [name, text] of files) {
    mkdirSync(path.join(dir, path.dirname(name)), { recursive: true });
    writeFileSync(path.join(dir, name), text ?? "");
  }
  return problemsOf(
    dir,
    files.map(([name]) => name),
  );
}

test("nothing is wrong with a whole package", () => {
  expect(look()).toEqual({ missing: [], problems: [] });
});

test.each([...machines, "dist/cli/main.js", "dist/index.js", "dist/man/tool.1", "LICENSE"])(
  "without %s it is not whole",
  (file) => {
    expect(look({ [file]: undefined })).toEqual({ missing: [file], problems: [] });
  },
);

test.each<[string, Record<string, string | undefined>, string]>([
  [
    "a declaration that no export needs",
    { "dist/inner.d.ts": "" },
    "dist/inner.d.ts: no export needs it",
  ],
  [
    "one that is needed and not there",
    { "dist/c.d.ts": undefined },
    "dist/c.d.ts: an export needs it, and it is not packed",
  ],
  [
    "a page of a command that nobody gets",
    { "package.json": sound["package.json"]?.replace("tool.1", "other.1"), "dist/man/other.1": "" },
    "dist/man/other.1: package.json installs no such command",
  ],
  ["a source", { "runtime/main.c": "" }, "runtime/main.c: is not for users of the package"],
  [
    "a link to a source",
    { "docs/use.md": "See [the interface](../runtime/fuse.h)." },
    "docs/use.md: links to runtime/fuse.h, which is not packed",
  ],
  [
    "a link to a page for contributors",
    { "README.md": "[How](CONTRIBUTING.md#clone)\n" },
    "README.md: links to CONTRIBUTING.md, which is not packed",
  ],
  [
    "a command of the checkout",
    { "README.md": "Try it:\n\n```sh\nnpm run demo\n```\n" },
    "README.md: a script that is not packed, with no word of a checkout: ```sh\nnpm run demo\n```\n",
  ],
])("%s is a problem", (_, changes, problem) => {
  expect(look(changes)).toEqual({ missing: [], problems: [problem] });
});

test("this package's own pages and commands go together", () => {
  const text = readFileSync(path.join(import.meta.dirname, "../../../package.json"), "utf8");
  const { bin, man } = JSON.parse(text);
  expect(man.map((page: string) => path.basename(page, ".1")).sort()).toEqual(
    Object.keys(bin).sort(),
  );
});
