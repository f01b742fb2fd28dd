/** Flags of Node that an app is started with reach the program of the bundle, or are named. */
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Files, writeFiles } from "../support/case.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { WORTH_COMPILING } from "../support/node-app.ts";
import { asUser, bundle, type Outcome, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let dir: string;
const out = (name: string) => path.join(dir, `${name}.run`);
const built = new Map<string, Outcome>();

async function pack(name: string, manifest: object, files: Files, ...more: string[]) {
  writeFiles(path.join(dir, name), {
    ...files,
    "package.json": JSON.stringify({ name, ...manifest }),
  });
  const args = ["build", name, "-o", out(name), "--compression", "zstd:1", ...more];
  const outcome = await bundle(args, { cwd: dir });
  built.set(name, outcome);
  rmSync(path.join(dir, name), { recursive: true });
  return outcome;
}

const starting = (command: string, main = "server.js") => ({ main, scripts: { start: command } });
const places = `const places = (list) => list.map((one) => one.replace(/=?\\/.*\\/app\\//, " app/"));`;
const report = `${places}
console.log(require("v8").getHeapStatistics().heap_size_limit < 4e8 ? "small" : "large",
  places(process.execArgv).join(), globalThis.seen?.join(), process.env.SECRET);`;

/** Files that are loaded in front of the program, and a child that is started with the same flags. */
const preloads: Files = {
  "hook.cjs": "(globalThis.seen ??= []).push('hook', require.main === undefined, require('dep'));",
  "late.mjs": "globalThis.seen.push('late');",
  ".env": "SECRET=packed\n",
  "server.js": `${report}
    if (!process.send) require("child_process").fork(__filename, { cwd: __dirname });`,
  "node_modules/dep/package.json": '{ "name": "dep" }',
  "node_modules/dep/index.js": "module.exports = 'dep';",
};

beforeAll(async () => {
  dir = temporaryDirectory();
  const heap = "NODE_ENV=production node --max-old-space-size=96 --no-warnings server.js --port 80";
  await pack("heap", starting(heap), { "server.js": WORTH_COMPILING + report });
  await pack("host", starting(heap), { "server.js": report }, "--node", "none");
  const loading = "node --require ./hook.cjs --env-file=.env server.js";
  await pack("loading", { ...starting(loading), dependencies: { dep: "1" } }, preloads);
  const importing = "node -r ./hook.cjs --import ./late.mjs server.js";
  await pack("importing", { ...starting(importing), dependencies: { dep: "1" } }, preloads);
  const line = "#!/usr/bin/env -S node --stack-trace-limit=3 --no-deprecation\n";
  await pack("line", { bin: "cli.js" }, { "cli.js": `${line}${report}` });
});

describe("the build", () => {
  test("names what it does not take over", async () => {
    const said = built.get("heap");
    expect(said).toMatchObject({ status: 0 });
    expect(said?.stderr).toMatch(/the variable NODE_ENV=production, --port, 80.*W_START_SCRIPT/);
    expect(said?.stderr).not.toMatch(/W_NODE_FLAG/);
    expect(built.get("loading")?.stderr).toMatch(/\.env is packed.*W_ENV_FILE/);
    expect(built.get("line")?.stderr).not.toMatch(/W_NODE_FLAG|W_START_SCRIPT/);
  });

  test.each([
    [
      "node --watch --no-such-flag --no-warnings server.js",
      /--watch of scripts\.start is left out[\s\S]*--no-such-flag of scripts\.start is left out: the packed Node/,
    ],
    [
      "node --require ./gone.js server.js",
      /--require \.\/gone\.js of scripts\.start is left out: there is no such file/,
    ],
    [
      "node --env-file=.env server.js",
      /--env-file=\.env of scripts\.start is left out: there is no such file/,
    ],
    [
      "node --require dev server.js",
      /--require dev of scripts\.start is left out: .*is not packed/,
    ],
    [
      "node --inspect other.js",
      /scripts\.start starts --inspect other\.js; what is packed is server\.js/,
    ],
  ])("says of %s what it leaves out", async (command, warning) => {
    const files: Files = { "server.js": report, "other.js": "", "node_modules/dev/index.js": "" };
    const { status, stderr } = await pack("named", starting(command), files);
    expect(status).toBe(0);
    expect(stderr).toMatch(warning);
    const strict = await pack("named", starting(command), files, "--strict");
    expect(strict.status).not.toBe(0);
  });

  test("takes a file that is not there in silence where Node does", async () => {
    const command = "node --env-file-if-exists=.env server.js";
    expect((await pack("named", starting(command), { "server.js": report })).stderr).not.toMatch(
      /W_ENV_FILE|W_NODE_FLAG/,
    );
  });

  test("needs no compiler for sources that are compiled", async () => {
    const command = "node --import tsx --enable-source-maps src/main.ts";
    const files = { "src/main.ts": "enum A { B = 1 }\nconsole.log(A.B);" };
    const outcome = await pack("compiled", { scripts: { start: command } }, files);
    expect(outcome).toMatchObject({ status: 0 });
    expect(outcome.stderr).not.toMatch(/W_NODE_FLAG/);
    if (missing("userns") === undefined)
      expect((await run(out("compiled"), [])).stdout).toBe("1\n");
  });
});

const who = [
  { title: "as root", root: true, needs: ["root"] },
  { title: "as a user", root: false, needs: ["fuse", "userns"] },
] as const;

describe.each(who)("$title", ({ root, needs }) => {
  const check = skipUnless(...needs);
  const start = async (name: string, env: Record<string, string> = {}) => {
    // A folder that no start may read.
    const cwd = temporaryDirectory();
    writeFileSync(`${cwd}/package.json`, "{ damaged");
    const home = root ? temporaryDirectory() : userDirectory();
    const options = { cwd, env: { HOME: home, ...env } };
    return root ? run(out(name), [], options) : asUser(out(name), [], home, options);
  };

  check("flags without files reach the program, and its compiled code is taken", async () => {
    const { stdout, stderr } = await start("heap", { NODE_DEBUG_NATIVE: "COMPILE_CACHE" });
    expect(stdout).toBe("small --max-old-space-size=96,--no-warnings undefined undefined\n");
    expect(stderr).toMatch(/server\.js was accepted/);
    expect((await start("line")).stdout).toMatch(/^large --stack-trace-limit=3,--no-deprecation /);
  });

  check("flags reach a Node of the machine too", async () => {
    expect((await start("host")).stdout).toMatch(/^small --max-old-space-size=96,--no-warnings /);
  });

  check("files are found in the image, by children too", async () => {
    const line = "large --env-file app/.env,--require, app/hook.cjs hook,true,dep packed\n";
    expect(await start("loading")).toMatchObject({ stdout: `${line}${line}`, stderr: "" });
  });

  check("modules are loaded in Node's order, by children too", async () => {
    const { stdout, stderr } = await start("importing");
    expect(stderr).toBe("");
    expect(stdout.split("\n").map((one) => one.replace(/^.*? hook/, "hook"))).toEqual([
      "hook,true,dep,late undefined",
      "hook,true,dep,late undefined",
      "",
    ]);
  });
});
