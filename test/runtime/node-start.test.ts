/** How a Node app is started: as if Node had been given its file, in whatever folder that is. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Files, writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { WORTH_COMPILING } from "../support/node-app.ts";
import { asUser, bundle, ordinaryUser, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

/** Everything that a program can see of how it was started. */
const look = `
const seen = {
  argv: process.argv.slice(1), execArgv: process.execArgv, title: process.title,
  cache: Object.keys(Module._cache), places: Object.keys(Module._pathCache),
  main: Object.getOwnPropertyDescriptor(process, "mainModule")?.value?.filename ?? null,
  required: Object.keys(Module.prototype.require), match: RegExp.lastMatch,
  listeners: process.eventNames().map(String), stackLimit: Error.stackTraceLimit,
};`;
const script = `const Module = require("module");${look}
Object.assign(seen, { isMain: require.main === module, id: module.id, parent: module.parent,
  children: module.children.length, asyncId: require("async_hooks").executionAsyncId() });
console.log(JSON.stringify(seen));`;
const module = `import Module, { createRequire } from "module";${look}
Object.assign(seen, { isMain: import.meta.main, required: typeof createRequire(import.meta.url).main });
await 1;
console.log(JSON.stringify(seen));`;

let dir: string;
const out = (name: string) => path.join(dir, `${name}.run`);

async function pack(name: string, files: Files, ...more: string[]): Promise<void> {
  writeFiles(path.join(dir, name), files);
  const args = ["build", name, "-o", out(name), "--compression", "zstd:1", ...more];
  expect(await bundle(args, { cwd: dir })).toMatchObject({ status: 0 });
}

const served = {
  "main.js": 'console.log("served", require("./part.cjs"));',
  "part.cjs": "module.exports = 1",
};

beforeAll(async () => {
  dir = temporaryDirectory();
  await pack("small", { ...served, "package.json": '{ "main": "main.js" }' });
  await pack("large", {
    ...served,
    "main.js": WORTH_COMPILING + served["main.js"],
    "package.json": '{ "main": "main.js" }',
  });
  // No package.json at all: what is looked for above it must not be found in the user's home.
  await pack(
    "alone",
    { "main.js": served["main.js"], "part.cjs": served["part.cjs"] },
    "--entry",
    "main.js",
    "--kind",
    "node",
  );
  await pack("host", served, "--entry", "main.js", "--kind", "node", "--node", "none");
});

test("Node is given the program itself where nothing is to be done before it", async () => {
  const facts = async (name: string) => {
    const { stdout } = await bundle(["inspect", out(name), "--json"]);
    return JSON.parse(stdout).manifest;
  };
  const place = "${FUSELAGE_BUNDLE_DIR}";
  expect(await facts("small")).toMatchObject({
    args: [`${place}/app/main.js`],
    envPrepend: [`PATH=${place}/node/path`],
  });
  expect(await facts("large")).toMatchObject({
    args: [`${place}/node/start.cjs`, `${place}/app/main.js`],
    envPrepend: [`PATH=${place}/node/path`],
  });
});

skipUnless("fuse", "userns")("the folders of PATH stand behind the packed Node", async () => {
  const main = 'console.log(process.env.PATH.replace(/^.*?\\/node\\/path(?=:|$)/, "OWN"));';
  await pack("path", { "main.js": main, "package.json": "{}" }, "--entry", "main.js");
  const said = async (PATH: string | undefined) =>
    (await run(out("path"), [], { env: { PATH, HOME: temporaryDirectory() } })).stdout;
  expect(await said("/a:/b")).toBe("OWN:/a:/b\n");
  // Without it a program is found in these.
  expect(await said(undefined)).toBe("OWN:/usr/bin:/bin\n");
});

describe("the program sees", () => {
  let node: string;
  let root: (name: string) => string;
  beforeAll(async () => {
    const files = { "script.js": script, "module.mjs": module, "package.json": "{}" };
    await pack("script", files, "--no-bundle", "--entry", "script.js");
    await pack("module", files, "--no-bundle", "--entry", "module.mjs");
    const large = { ...files, "large.js": WORTH_COMPILING + script };
    await pack("large-script", large, "--no-bundle", "--entry", "large.js");
    const largeModule = { ...files, "large.mjs": WORTH_COMPILING + module };
    await pack("large-module", largeModule, "--no-bundle", "--entry", "large.mjs");
    const images = temporaryDirectory();
    root = (name) => path.join(images, name);
    for (const name of ["script", "module", "large-script", "large-module"]) {
      const extracted = await bundle(["extract", out(name), "--directory", root(name)]);
      expect(extracted).toMatchObject({ status: 0 });
    }
    node = path.join(root("script"), "node/bin/node");
  });

  const places = (text: string) => text.replace(/[^"]*\/(app|node)\//g, "$1/");

  skipUnless("fuse", "userns")("of a script what Node alone would show it", async () => {
    for (const [name, file] of [
      ["script", "script.js"],
      ["module", "module.mjs"],
      ["large-script", "large.js"],
      ["large-module", "large.mjs"],
    ] as const) {
      const alone = await run(node, [path.join(root(name), "app", file), "a", "--require"]);
      const started = await run(out(name), ["a", "--require"]);
      expect(JSON.parse(places(started.stdout))).toEqual(JSON.parse(places(alone.stdout)));
      expect(started.stderr).toBe("");
    }
  });

  skipUnless("fuse", "userns")("the exit status of Node for a module that never ends", async () => {
    await pack("waits", { "main.mjs": "await new Promise(() => {});" }, "--entry", "main.mjs");
    expect((await run(out("waits"), [])).status).toBe(13);
  });
});

skipUnless("fuse", "userns")("children and threads find the compiled code", async () => {
  const main = `if (process.argv[2] !== undefined || !require("worker_threads").isMainThread) {
    console.log("started", process.execArgv.length);
  } else {
    const { fork, spawnSync } = require("child_process");
    fork(__filename, ["child"]);
    fork(__filename, ["child"], { execArgv: ["--no-warnings"] });
    spawnSync("node", [__filename, "child"], { stdio: "inherit" });
    new (require("worker_threads").Worker)(__filename);
  }`;
  await pack(
    "family",
    { "main.js": WORTH_COMPILING + main, "package.json": "{}" },
    "--entry",
    "main.js",
  );
  const env = { HOME: temporaryDirectory(), NODE_DEBUG_NATIVE: "COMPILE_CACHE" };
  const { stdout, stderr } = await run(out("family"), [], { env });
  expect(stdout.match(/started/g)).toHaveLength(4);
  expect(stderr.match(/app\/main\.js was accepted/g)?.length).toBeGreaterThanOrEqual(5);
  expect(stderr).not.toMatch(/main\.js was rejected/);
});

for (const strategy of ["fuse", "fusermount"] as const) {
  const needs = [strategy === "fuse" ? "userns" : "fusermount", "fuse"] as const;
  skipUnless(...needs)(
    `compiled code is found by starts that share a ${strategy} mount`,
    async () => {
      const home = userDirectory();
      const env = {
        FUSELAGE_LINGER: "5",
        FUSELAGE_MOUNT: strategy,
        NODE_DEBUG_NATIVE: "COMPILE_CACHE",
      };
      for (const umask of ["022", "0777", "077"]) {
        const args = ["-c", `umask ${umask} && exec "$0"`, out("large")];
        const { stdout, stderr } = await asUser("/bin/sh", args, home, { env, cwd: "/" });
        expect(stdout).toBe("served 1\n");
        expect(stderr).toMatch(/main\.js was accepted/);
      }
    },
  );
}

/** What a folder may hold that no start may trip over. */
const folders: Record<string, (dir: string) => void> = {
  "a package.json with a merge conflict": (at) =>
    writeFileSync(`${at}/package.json`, '{ "name": <<<<<<< HEAD'),
  "an empty package.json": (at) => writeFileSync(`${at}/package.json`, ""),
  "a package.json of bytes": (at) => writeFileSync(`${at}/package.json`, Buffer.alloc(64, 0xff)),
  "a package.json that is a list": (at) => writeFileSync(`${at}/package.json`, "[]"),
  "a package.json that nobody may read": (at) => {
    writeFileSync(`${at}/package.json`, "{}");
    chmodSync(`${at}/package.json`, 0);
  },
  "a folder named package.json": (at) => mkdirSync(`${at}/package.json`),
  "a pipe named package.json": (at) => execFileSync("mkfifo", [`${at}/package.json`]),
  "a package.json that leads to itself": (at) => symlinkSync("package.json", `${at}/package.json`),
  "a package.json of a module with exports": (at) =>
    writeFileSync(`${at}/package.json`, '{ "name": "x", "type": "module", "exports": { ".": 1 } }'),
  "files that configure Node": (at) => {
    writeFileSync(`${at}/node.config.json`, "{ damaged");
    writeFileSync(`${at}/.env`, "NODE_OPTIONS=--no-such-option\n");
    writeFileSync(`${at}/.npmrc`, "node-options=--no-such-option\nscript-shell=/nonexistent\n");
    writeFileSync(`${at}/.node-version`, "4.0.0\n");
  },
  "modules of the names that a start asks for": (at) => {
    for (const name of ["fs", "module", "node:fs", "part.cjs"]) {
      mkdirSync(`${at}/node_modules/${name}`, { recursive: true });
      writeFileSync(`${at}/node_modules/${name}/index.js`, "throw new Error('the wrong one')");
    }
  },
  "programs of the names that a start asks for": (at) => {
    for (const name of ["node", "sh", "env", "dirname"]) {
      writeFileSync(`${at}/${name}`, "#!/bin/sh\necho the wrong one\n", { mode: 0o755 });
    }
  },
};

const who = [
  { title: "as root", root: true, needs: ["root"] },
  { title: "as a user", root: false, needs: ["fuse", "userns"] },
] as const;

describe.each(who)("$title", ({ root, needs }) => {
  const check = skipUnless(...needs);
  const start = (
    file: string,
    home: string,
    options: { cwd: string; env?: Record<string, string | undefined> },
  ) =>
    root
      ? run(file, [], { ...options, env: { HOME: home, ...options.env } })
      : asUser(file, [], home, options);
  const home = () => (root ? temporaryDirectory() : userDirectory());
  const answer = { stdout: "served 1\n", stderr: "", status: 0 };
  const PATH = `.::relative:${process.env["PATH"]}`;

  for (const [what, make] of Object.entries(folders)) {
    check(`starts below ${what}, and in a home with it`, async () => {
      const at = temporaryDirectory();
      mkdirSync(`${at}/below`);
      make(at);
      const own = home();
      make(own);
      const starts = [
        ...[at, `${at}/below`].flatMap((cwd) => [
          start(out("small"), home(), { cwd, env: { PATH } }),
          start(out("host"), home(), { cwd, env: { PATH } }),
        ]),
        start(out("alone"), own, { cwd: own, env: { PATH } }),
      ];
      for (const outcome of await Promise.all(starts)) expect(outcome).toMatchObject(answer);
    });
  }

  check("starts in a folder that is gone", async () => {
    const at = home();
    const script = `rmdir ${at} && exec ${out("small")}`;
    const options = { cwd: at, env: { HOME: home() }, ...(root ? {} : ordinaryUser()) };
    expect(await run("/bin/sh", ["-c", script], options)).toMatchObject(answer);
    mkdirSync(at);
  });

  skipUnless(...needs, "root")("starts in a folder that may not be entered", async () => {
    const at = temporaryDirectory();
    mkdirSync(`${at}/below`);
    writeFileSync(`${at}/package.json`, "{ damaged");
    chmodSync(at, 0o700);
    for (const cwd of [at, `${at}/below`]) {
      expect(await start(out("small"), home(), { cwd })).toMatchObject(answer);
    }
  });

  check("starts with any PATH, and none", async () => {
    for (const path of ["", undefined, "/nonexistent", "."]) {
      const cwd = temporaryDirectory();
      expect(await start(out("small"), home(), { cwd, env: { PATH: path } })).toMatchObject(answer);
    }
  });

  check("starts with any HOME, and none", async () => {
    const cwd = temporaryDirectory();
    for (const HOME of ["", undefined, "/nonexistent", "/dev/null", "relative"]) {
      expect(await start(out("small"), home(), { cwd, env: { HOME } })).toMatchObject(answer);
    }
  });

  check("starts with any umask", async () => {
    const script = `umask 0777 && exec ${out("large")}`;
    const options = {
      env: { HOME: home(), NODE_DEBUG_NATIVE: "COMPILE_CACHE" },
      ...(root ? {} : ordinaryUser()),
    };
    const outcome = await run("/bin/sh", ["-c", script], options);
    expect(outcome).toMatchObject({ stdout: answer.stdout, status: 0 });
    expect(outcome.stderr).toMatch(/main\.js was accepted/);
  });

  check("starts whatever the caller has told Node", async () => {
    const env = {
      NODE_OPTIONS: "--no-such-option",
      NODE_PATH: "/nonexistent",
      NODE_COMPILE_CACHE: "/dev/null",
      NODE_COMPILE_CACHE_PORTABLE: "1",
    };
    expect(await start(out("small"), home(), { cwd: "/", env })).toMatchObject(answer);
  });
});
