/** What a machine fails by, each with its code and what to do. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import { whyNoKvm } from "../../builder/vm/host/accelerator.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { busyboxBundle, EMULATED, shell, vm } from "../support/vm.ts";

const testVm = skipUnless("vm", "busybox");
let app: string;

beforeAll(async () => {
  if (missing("busybox") === undefined) app = await busyboxBundle();
});

testVm("too little memory for the kernel: its own last words, or that it has none", async () => {
  const both = await Promise.all(
    ["64M", "32M"].map((size) => shell(app, "true", ["--memory", size, "--timeout", "240"])),
  );
  for (const { status, stderr } of both) {
    expect([status, stderr]).toEqual([125, expect.stringContaining("[E_VM_MEMORY]")]);
  }
  expect(both[0]?.stderr).toContain("Kernel panic");
});

testVm("a machine that does not come up in time", async () => {
  const { status, stderr } = await shell(app, "true", ["--timeout", "1"]);
  expect([status, stderr]).toEqual([125, expect.stringContaining("[E_VM_TIMEOUT]")]);
});

testVm("a volume that is not there, a file, an interface that is not there", async () => {
  const missed = [
    ["--volume", "/no/such/folder:/data"],
    ["--volume", `${app}:/data`],
    ["--network", "tap:no-such-tap"],
  ];
  const codes = ["E_VM_VOLUME", "E_VM_VOLUME", "E_VM_NETWORK"];
  const all = await Promise.all(missed.map((options) => shell(app, "true", options)));
  for (const [index, { status, stderr }] of all.entries()) {
    expect([status, stderr]).toEqual([125, expect.stringContaining(`[${codes[index]}]`)]);
  }
});

testVm("no monitor in PATH, and one that is not driven", async () => {
  const empty = temporaryDirectory();
  const none = await shell(app, "true", [], { env: { PATH: empty } });
  const other = await shell(app, "true", ["--vmm", "firecracker"]);
  expect([none.status, none.stderr]).toEqual([125, expect.stringContaining("[E_VM_VMM]")]);
  expect(none.stderr).toContain("qemu-system-x86");
  expect([other.status, other.stderr]).toEqual([125, expect.stringContaining("firecracker")]);
});

testVm("a monitor that ends at once: what it said", async () => {
  const dir = temporaryDirectory();
  writeFileSync(path.join(dir, "qemu-system-x86_64"), "#!/bin/sh\necho it will not >&2\nexit 3\n", {
    mode: 0o755,
  });
  const env = { PATH: `${dir}:${process.env["PATH"]}` };
  const { status, stderr } = await shell(app, "true", [], { env });
  expect([status, stderr]).toEqual([125, expect.stringContaining("[E_VM_START]")]);
  expect(stderr).toContain("it will not");
});

testVm("KVM that is not usable: an error where it was asked for, else said once", async () => {
  const asked = await vm(["run", app, "--accel", "kvm", "--", "true"]);
  const auto = await vm(["run", app, "--", "true"]);
  expect(auto.status).toBe(0);
  if (whyNoKvm() === undefined) {
    expect([asked.status, asked.stderr, auto.stderr]).toEqual([0, "", ""]);
    return;
  }
  expect([asked.status, asked.stderr]).toEqual([125, expect.stringContaining("[E_VM_KVM]")]);
  expect(auto.stderr.match(/no KVM/g)).toHaveLength(1);
});

test("a folder's image without a manifest, and a bundle for another machine", async () => {
  const dir = temporaryDirectory();
  const input = path.join(dir, "app");
  mkdirSync(input);
  writeFileSync(path.join(input, "app"), "#!/bin/sh\n", { mode: 0o755 });
  symlinkSync("app", path.join(input, "link"));
  const file = path.join(dir, "arm.run");
  await build({ input, output: file, entry: "app", arch: "aarch64" });
  const { status, stderr } = await vm(["run", file, ...EMULATED]);
  // Where QEMU is missing that is said first.
  const code = missing("vm") === undefined ? "[E_VM_BUNDLE]" : "[E_VM_";
  expect([status, stderr]).toEqual([125, expect.stringContaining(code)]);
});
