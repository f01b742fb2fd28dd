/** Programs that a Node app starts by name, on machines that have no Node, or another one. */
import { chmodSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { type Files, writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, bundle, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const tool = (text: string) => `#!/usr/bin/env node
console.log(${JSON.stringify(text)}, process.argv[2], process.version === process.argv[3]);`;

/** Packages as npm installs them: one of a scope, one below another, one with two programs. */
const packages: Files = {
  "node_modules/tool/package.json":
    '{ "name": "tool", "bin": "./cli.js", "dependencies": { "inner": "1" } }',
  "node_modules/tool/cli.js": tool("tool"),
  "node_modules/.bin/tool": { link: "../tool/cli.js" },
  "node_modules/@scope/many/package.json":
    '{ "name": "@scope/many", "bin": { "one": "bin/one.mjs", "two": "bin/two" } }',
  "node_modules/@scope/many/bin/one.mjs": tool("one"),
  "node_modules/@scope/many/bin/two": tool("two"),
  "node_modules/tool/node_modules/inner/package.json":
    '{ "name": "inner", "bin": { "inner": "i.js" } }',
  "node_modules/tool/node_modules/inner/i.js": tool("inner"),
};

/** The same programs where pnpm puts them; scripts for sh lead to them. */
const script = (target: string) => `#!/bin/sh
basedir=$(dirname "$(echo "$0" | sed -e 's,\\\\,/,g')")
exec node  "$basedir/${target}" "$@"
`;
const linked: Files = {
  "node_modules/.pnpm/tool@1/node_modules/tool/package.json":
    '{ "name": "tool", "bin": "./cli.js" }',
  "node_modules/.pnpm/tool@1/node_modules/tool/cli.js": tool("tool"),
  "node_modules/tool": { link: ".pnpm/tool@1/node_modules/tool" },
  "node_modules/.bin/tool": script("../tool/cli.js"),
};

const main = `const { execFileSync, execSync } = require("node:child_process");
const path = require("node:path");
const bin = (...names) => path.join(__dirname, "node_modules", ...names);
const attempt = (what, start) => {
  try { console.log(what, start().toString().trim()); } catch (error) { console.log(what, error.code ?? error.message); }
};
const quiet = { stdio: ["ignore", "pipe", "ignore"] };
for (const names of process.argv[2].split(","))
  attempt(names, () => execFileSync(bin(...names.split("/")), ["run", process.version], quiet));
attempt("name", () => execFileSync("node", ["-p", "process.execPath"]).toString().trim() === process.execPath);
attempt("shell", () => execSync("node -p 1+1", quiet));
attempt("path", () => process.env.PATH.split(":").slice(1).join(":"));
`;

let dir: string;
const out = (name: string) => path.join(dir, `${name}.run`);

async function pack(name: string, files: Files, ...more: string[]): Promise<void> {
  const dependencies = { tool: "1", ...(files === packages ? { "@scope/many": "1" } : {}) };
  const manifest = JSON.stringify({ name: "app", main: "main.js", dependencies });
  writeFiles(path.join(dir, name), { ...files, "main.js": main, "package.json": manifest });
  const args = ["build", name, "-o", out(name), "--compression", "zstd:1", ...more];
  expect(await bundle(args, { cwd: dir })).toMatchObject({ status: 0 });
  rmSync(path.join(dir, name), { recursive: true });
}

beforeAll(async () => {
  dir = temporaryDirectory();
  await pack("npm", packages, "--no-bundle");
  await pack("pnpm", linked, "--no-bundle");
  await pack("without", packages, "--no-bundle", "--no-node-in-path");
});

/** A machine with these programs alone. */
function machineWith(...names: string[]): string {
  const PATH = temporaryDirectory();
  for (const name of ["sh", "env", "dirname", "sed", ...names]) {
    symlinkSync(`/usr/bin/${name}`, `${PATH}/${name}`);
  }
  return PATH;
}

const who = [
  { title: "as root", root: true, needs: ["root"] },
  { title: "as a user", root: false, needs: ["fuse", "userns"] },
] as const;

describe.each(who)("$title", ({ root, needs }) => {
  const check = skipUnless(...needs);
  const start = (name: string, args: string[], PATH: string | undefined) => {
    const home = root ? temporaryDirectory() : userDirectory();
    const env = { HOME: home, PATH };
    return root ? run(out(name), args, { env }) : asUser(out(name), args, home, { env });
  };

  check("programs of packages run without a Node on the machine", async () => {
    const PATH = machineWith();
    const { stdout } = await start(
      "npm",
      [".bin/tool,.bin/one,.bin/two,tool/node_modules/.bin/inner"],
      PATH,
    );
    expect(stdout.split("\n")).toEqual([
      ".bin/tool tool run true",
      ".bin/one one run true",
      ".bin/two two run true",
      "tool/node_modules/.bin/inner inner run true",
      "name true",
      "shell 2",
      `path ${PATH}`,
      "",
    ]);
    expect((await start("pnpm", [".bin/tool"], PATH)).stdout).toMatch(
      /^\.bin\/tool tool run true\nname true\nshell 2\n/,
    );
  });

  check("the Node of the bundle is in front of another one", async () => {
    const PATH = machineWith();
    writeFileSync(`${PATH}/node`, "#!/bin/sh\necho another\n");
    chmodSync(`${PATH}/node`, 0o755);
    expect((await start("npm", [".bin/tool"], PATH)).stdout).toMatch(
      /^\.bin\/tool tool run true\nname true\nshell 2\n/,
    );
    expect((await start("without", [".bin/tool"], PATH)).stdout).toMatch(
      /^\.bin\/tool another\nname false\nshell another\n/,
    );
  });

  check("a PATH that is not set is the system's", async () => {
    expect((await start("npm", [".bin/tool"], undefined)).stdout).toMatch(
      /name true\nshell 2\npath \/usr\/bin:\/bin\n/,
    );
  });
});
