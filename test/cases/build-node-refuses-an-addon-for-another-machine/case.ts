import type { Case } from "../../support/case.ts";

const machine = process.arch === "arm64" ? 62 : 183;
/** The start of a shared library for the other machine. */
const addon = Buffer.from("\x7fELF\x02\x01\x01".padEnd(64, "\0"), "latin1");
addon.writeUInt16LE(3, 16);
addon.writeUInt16LE(machine, 18);

export default {
  files: {
    "app/package.json": "{}",
    "app/index.js": 'require("native")',
    "app/node_modules/native/package.json": '{ "name": "native" }',
    "app/node_modules/native/index.js": 'module.exports = require("./build/native.node")',
    "app/node_modules/native/build/native.node": addon,
  },
  args: ["build", "app", "-o", "out", "--node", "none"],
  code: "E_NODE_ADDON_TARGET",
  stderr:
    /native has no addon for linux-\w+ \(glibc\).*found build\/native\.node: (aarch64|x86_64)\n.*--exclude node_modules\/native\/build\/native\.node\n/,
} satisfies Case;
