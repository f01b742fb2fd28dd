import type { Case } from "../../support/case.ts";

const machine = process.arch === "arm64" ? 183 : 62;
const addon = Buffer.from("\x7fELF\x02\x01\x01".padEnd(64, "\0"), "latin1");
addon.writeUInt16LE(3, 16);
addon.writeUInt16LE(machine, 18);

/** `node_register_module_v108` is what an addon for Node 18 has. */
export default {
  files: {
    "app/package.json": "{}",
    "app/index.js": 'require("native")',
    "app/node_modules/native/package.json": '{ "name": "native" }',
    "app/node_modules/native/index.js": 'module.exports = require("./native.node")',
    "app/node_modules/native/native.node": Buffer.concat([
      addon,
      Buffer.from("node_register_module_v108\0"),
    ]),
  },
  args: ["build", "app", "-o", "out"],
  code: "E_NODE_ADDON_ABI",
  stderr: /found NODE_MODULE_VERSION 108 \(Node 18\)\n.*--node 18/,
} satisfies Case;
