import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle, run } from "../../support/process.ts";

const machine = process.arch === "arm64" ? 62 : 183;
/** The start of a shared library for the other machine. */
const addon = Buffer.from("\x7fELF\x02\x01\x01".padEnd(64, "\0"), "latin1");
addon.writeUInt16LE(3, 16);
addon.writeUInt16LE(machine, 18);
const fallback = (file: string) => `try { require("${file}") } catch { module.exports = "slow" }`;

/** Addons of a package, of one that was never built, of a platform package and of the app itself. */
export default {
  files: {
    "app/package.json": "{}",
    "app/index.js": `${fallback("./own.node")}
      console.log(module.exports, require("one"), require("unbuilt"), require("many"), require("fs").existsSync(__dirname + "/node_modules/one/dist"))`,
    "app/own.node": addon,
    "app/node_modules/one/package.json": '{ "name": "one" }',
    "app/node_modules/one/index.js": fallback("./build/one.node"),
    "app/node_modules/one/build/one.node": addon,
    "app/node_modules/one/dist/kept": "",
    "app/node_modules/unbuilt/package.json": '{ "name": "unbuilt" }',
    "app/node_modules/unbuilt/binding.gyp": "{}",
    "app/node_modules/unbuilt/index.js": fallback("./build/Release/unbuilt.node"),
    "app/node_modules/many/package.json":
      '{ "name": "many", "optionalDependencies": { "many-darwin-x64": "1", "many-linux-s390x": "1" } }',
    "app/node_modules/many/index.js": fallback("many-linux-s390x"),
    "app/node_modules/many-linux-s390x/package.json":
      '{ "name": "many-linux-s390x", "os": ["linux"], "cpu": ["s390x"] }',
    "app/dist/left": "out",
  },
  args: [
    ...[
      "build",
      "app",
      "-o",
      "out",
      "--node",
      "none",
      "--exclude",
      "own.node",
      "--exclude",
      "dist",
    ],
    ...[
      "--exclude",
      "node_modules/one/build/one.node",
      "--exclude",
      "node_modules/unbuilt/binding.gyp",
    ],
    ...["--exclude", "node_modules/many-linux-s390x"],
  ],
  async check(cwd) {
    expect(await run(`${cwd}/out`, [])).toMatchObject({ stdout: "slow slow slow slow true\n" });
    const { stdout } = await bundle(["inspect", "--list", "out"], { cwd });
    expect(stdout).not.toMatch(/\.node$|s390x|binding\.gyp|dist\/left/m);
  },
} satisfies Case;
