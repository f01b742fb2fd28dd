// Packs a shell script with data and runs it; then packs the builder itself, and with that the esbuild
// binary, and a program in TypeScript with its Node, and runs them. As root it runs each as an
// ordinary user too.
//
//   npm run demo

import { spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { messageOf } from "./build/link.mjs";
import { during, say } from "./progress.mjs";
import { packSelf } from "./self.mjs";
import { setup } from "./setup.mjs";

const root = path.resolve(import.meta.dirname, "..");
const isRoot = process.getuid?.() === 0;
const typescript = "const n: number = 6 * 7; console.log(n);\n";

/**
 * What is packed, and what its runs must answer.
 * @typedef {{args: string[], input?: string, expected: RegExp}} Run
 * @typedef {{name: string, dir: string, entry?: string, runs: Run[]}} App
 * @type {App[]}
 */
const apps = [
  {
    name: "hello",
    dir: path.join(root, "examples/hello"),
    runs: [{ args: ["from", "one", "file"], expected: /^Hello, from one file!\n$/ }],
  },
  {
    name: "esbuild",
    dir: path.join(root, `node_modules/@esbuild/linux-${process.arch}`),
    entry: "bin/esbuild",
    runs: [
      { args: ["--version"], expected: /^\d+\.\d+\.\d+\n$/ },
      {
        args: ["--loader=ts", "--minify"],
        input: typescript,
        expected: /^const n=42;console\.log\(42\);\n$/,
      },
    ],
  },
  {
    name: "almanac",
    dir: path.join(root, "examples/almanac"),
    runs: [{ args: ["2026-11-20"], expected: /^Friday, day 324 of 2026: .+\n$/ }],
  },
];

function size(/** @type {number} */ bytes) {
  if (bytes < 1 << 20) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}

/** Rows as columns of equal width, the first row underlined. */
function table(/** @type {string[][]} */ rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (/** @type {string[]} */ row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd();
  const [head, ...body] = rows.map(line);
  return [head, widths.map((width) => "-".repeat(width)).join("  "), ...body].join("\n");
}

/** @typedef {{who: string, home: string, uid?: number, gid?: number}} User */

/**
 * Who runs the bundles: the user of the demo, and an ordinary one when that is root.
 *
 * @param {string} dir
 * @returns {User[]}
 */
function users(dir) {
  const self = { who: isRoot ? "root" : os.userInfo().username, home: path.join(dir, "home") };
  mkdirSync(self.home);
  if (!isRoot) return [self];
  const other = { who: "uid 1000", home: path.join(dir, "home-1000"), uid: 1000, gid: 1000 };
  mkdirSync(other.home);
  chownSync(other.home, other.uid, other.gid);
  return [self, other];
}

/**
 * Runs a bundle once.
 *
 * @param {string} file
 * @param {Run} run
 * @param {User} user
 * @returns what it printed, how it was mounted and how long all took (ms)
 */
function start(file, { args, input, expected }, { home, uid, gid, who }) {
  const env = { ...process.env, HOME: home, FUSELAGE_DEBUG: "1", LANG: "C", LC_ALL: "C" };
  const started = performance.now();
  const result = spawnSync(file, args, { env, input: input ?? "", encoding: "utf8", uid, gid });
  const wall = performance.now() - started;
  const { status, signal, stdout, stderr } = result;
  if (result.error || status !== 0 || !expected.test(stdout)) {
    const outcome = result.error?.message ?? `status ${signal ?? status}`;
    throw new Error(`${file} ${args.join(" ")} as ${who}: ${outcome}\n${stdout}${stderr}`);
  }
  const [, strategy, time] = /mounted by (\w+)(?: \(shared\))? in ([\d.]+ ms)/.exec(stderr) ?? [];
  return { said: stdout.trim(), strategy: strategy ?? "?", mounted: time ?? "?", wall };
}

/**
 * Builds with a builder, a command line.
 *
 * @param {string[]} builder
 * @param {App} app
 * @param {string} output
 * @returns {Promise<import("../builder/index.ts").BuildResult>} what it says of the result
 */
function pack(builder, { dir, entry, name }, output) {
  const [command, ...args] = [...builder, "build", dir, "-o", output, "--name", name, "--json"];
  if (entry !== undefined) args.push("--entry", entry);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      stderr += chunk;
    });
    child.on("error", reject);
    child.on("close", (status, signal) => {
      if (status === 0) resolve(JSON.parse(stdout));
      else reject(new Error(`${command} ${args.join(" ")}: ${signal ?? status}\n${stderr}`));
    });
  });
}

/**
 * Packs an app and runs it as everyone.
 *
 * @param {string[]} builder
 * @param {App} app
 * @param {string} dir
 * @param {User[]} everyone
 * @returns rows of the table
 */
async function show(builder, app, dir, everyone) {
  const { name, runs } = app;
  const output = path.join(dir, `${name}.run`);
  const result = await during(`packing ${name}`, () => pack(builder, app, output));
  say(
    `  ${result.kind}: ${size(result.image.contentBytes)} in ${result.image.files} files became ` +
      `${name}.run, ${size(result.size)}`,
  );
  const rows = [];
  for (const user of everyone) {
    for (const run of runs) {
      const { said, strategy, mounted, wall } = start(output, run, user);
      const command = `${run.input ? "echo ... | " : ""}${name}.run ${run.args.join(" ")}`;
      const answer = `${command} → ${said}`;
      rows.push([`${name}.run`, user.who, strategy, mounted, `${wall.toFixed(1)} ms`, answer]);
    }
  }
  return rows;
}

async function demo(/** @type {string} */ dir) {
  const everyone = users(dir);
  const rows = [["bundle", "as", "mounted by", "mounted in", "whole run", "command and answer"]];
  const [first, ...others] = apps;
  const checkout = [process.execPath, path.join(root, "dist/cli/main.js")];
  rows.push(...(await show(checkout, first, dir, everyone)));
  const [, , , , , answer] = rows[1];
  say(
    `demo: the first bundle runs, ${(performance.now() / 1000).toFixed(1)} s after the start: ${answer}`,
  );
  const builder = path.join(root, "build/bundle.run");
  let part = 0;
  const self = await during(
    "packing the builder itself",
    () =>
      packSelf(builder, {
        onProgress: ({ bytes, totalBytes }) => {
          part = totalBytes > 0 ? bytes / totalBytes : 0;
        },
      }),
    () => `${Math.round(part * 100)} %`,
  );
  say(`  build/bundle.run, ${size(self.size)}`);
  for (const app of others) rows.push(...(await show([builder], app, dir, everyone)));
  console.log(`\n${table(rows)}`);
}

await setup({});
const dir = mkdtempSync(path.join(os.tmpdir(), "fuselage-demo-"));
chmodSync(dir, 0o755);
try {
  await demo(dir);
} catch (error) {
  console.error(`demo: ${messageOf(error)}`);
  process.exitCode = 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
