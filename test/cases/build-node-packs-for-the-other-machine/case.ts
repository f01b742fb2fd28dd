import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

const target = process.arch === "arm64" ? "linux-x64" : "linux-arm64";

/** Prebuilt addons of both machines: the one for the target stays. */
function addon(machine: number): Buffer {
  const bytes = Buffer.from("\x7fELF\x02\x01\x01".padEnd(64, "\0"), "latin1");
  bytes.writeUInt16LE(machine, 18);
  return Buffer.concat([bytes, Buffer.from("napi_register_module_v1\0")]);
}

const prebuilds = "app/node_modules/native/prebuilds";

export default {
  files: {
    "app/package.json": "{}",
    "app/index.js": 'require("native")',
    "app/node_modules/native/package.json": '{ "name": "native" }',
    "app/node_modules/native/index.js": "",
    [`${prebuilds}/linux-x64/a.node`]: addon(62),
    [`${prebuilds}/linux-x64/a.musl.node`]: addon(62),
    [`${prebuilds}/linux-arm64/a.node`]: addon(183),
    [`${prebuilds}/darwin-arm64/a.node`]: Buffer.from("\xcf\xfa\xed\xfe", "latin1"),
  },
  args: ["build", "app", "-o", "out", "--node", "none", "--target", target],
  async check(cwd) {
    const { stdout } = await bundle(["inspect", "--list", "out"], { cwd });
    const addons = stdout.split("\n").filter((line) => line.endsWith(".node"));
    expect(addons).toHaveLength(1);
    expect(addons[0]).toContain(`prebuilds/${target}/a.node`);
    expect((await bundle(["inspect", "out"], { cwd })).stdout).toMatch(
      target === "linux-arm64" ? /bundle for aarch64/ : /bundle for x86_64/,
    );
  },
} satisfies Case;
