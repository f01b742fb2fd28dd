/** `bundle export --microvm`: what is written, and that it starts. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, onTestFinished } from "vitest";
import { build } from "../../builder/api/build.ts";
import { exportMicroVm } from "../../builder/api/export-microvm.ts";
import { packHello } from "../support/hello.ts";
import { skipUnless } from "../support/needs.ts";
import { bundle } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const test = skipUnless("machine", "busybox");

const named = process.env["FUSELAGE_TEST_KERNEL"];
const kernel = named === undefined ? [] : ["--kernel", named];

const readJson = (file: string) => JSON.parse(readFileSync(file, "utf8"));
const validator = (name: string) =>
  new Ajv2020().compile(readJson(path.join(import.meta.dirname, `schemas/${name}.json`)));

async function busyboxBundle(): Promise<string> {
  const dir = temporaryDirectory();
  mkdirSync(path.join(dir, "app/bin"), { recursive: true });
  copyFileSync("/usr/bin/busybox", path.join(dir, "app/bin/busybox"));
  const output = path.join(dir, "app.run");
  await build({ input: path.join(dir, "app"), output, entry: "bin/busybox" });
  return output;
}

/**
 * What an emulated machine on a loaded host needs besides: a processor's clock that is not measured against a
 * timer that is late. The kernel's tests of its own ciphers are left out, which would be half of a start.
 */
const megahertz = /^cpu MHz\s*: ([0-9.]+)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1];
const emulated = `no_timer_check cryptomgr.notests tsc_early_khz=${Math.round(Number(megahertz ?? 2000) * 1000)}`;

const PATIENCE_MS = 200_000;

/** Starts what stands in the configuration of a VMM by the board of qemu's that is like it. */
async function emulate(dir: string, vmm: string, board: readonly string[]): Promise<string> {
  const args = [
    ...[...board, "-accel", "tcg", "-cpu", "max", "-m", "256", "-nodefaults", "-no-user-config"],
    ...["-display", "none", "-no-reboot", "-serial", "stdio"],
    ...["-kernel", "vmlinux", "-initrd", `${vmm}.initramfs`],
    "-append",
    `${readFileSync(path.join(dir, `${vmm}.cmdline`), "utf8").trim()} ${emulated}`,
    ...["-drive", "file=disk,format=raw,if=none,id=app,readonly=on,file.locking=off"],
  ];
  const qemu = spawn("qemu-system-x86_64", args, { cwd: dir, stdio: ["pipe", "pipe", "pipe"] });
  onTestFinished(() => {
    qemu.kill("SIGKILL");
  });
  let said = "";
  for (const stream of [qemu.stdout, qemu.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
    });
  }
  // One that does not end is to be seen by what it said, not by the time that a test may take.
  const patience = setTimeout(() => qemu.kill("SIGKILL"), PATIENCE_MS);
  await once(qemu, "close");
  clearTimeout(patience);
  return said.replaceAll("\r", "");
}

describe("bundle export --microvm", () => {
  test("writes what Firecracker and cloud-hypervisor read, the same every time", async () => {
    const file = await packHello();
    const [one, other] = ["one", "other"].map((name) => path.join(temporaryDirectory(), name));
    const network = ["--tap", "tap0", "--address", "10.0.0.2/24", "--gateway", "10.0.0.1"];
    const options = ["--cpus", "2", "--memory", "1G", "--env", "A=b", "--arg", "c", ...kernel];
    for (const dir of [one, other]) {
      const all = ["export", file, "--microvm", dir ?? "", ...options, ...network];
      expect(await bundle(all, { timeout: PATIENCE_MS })).toMatchObject({ status: 0, stderr: "" });
    }
    const names = readdirSync(one ?? "").sort();
    expect(names).toEqual([
      ...["cloud-hypervisor.cmdline", "cloud-hypervisor.initramfs", "cloud-hypervisor.json"],
      ...["disk", "firecracker.cmdline", "firecracker.initramfs", "firecracker.json", "vmlinux"],
    ]);
    for (const name of names) {
      const [a, b] = [one, other].map((dir) => readFileSync(path.join(dir ?? "", name)));
      expect(a?.equals(b ?? Buffer.alloc(0)), name).toBe(true);
    }
    expect(readFileSync(path.join(one ?? "", "disk")).equals(readFileSync(file))).toBe(true);
    expect(statSync(file).size % 512).toBe(0);
    for (const vmm of ["firecracker", "cloud-hypervisor"]) {
      const config = readJson(path.join(one ?? "", `${vmm}.json`));
      const validate = validator(vmm);
      expect(validate(config), JSON.stringify(validate.errors)).toBe(true);
      // Which is no proof unless the schema refuses something.
      expect(validate({ ...config, disk: "disk" })).toBe(false);
      expect(statSync(path.join(one ?? "", `${vmm}.initramfs`)).size).toBeLessThanOrEqual(307_200);
      expect(JSON.stringify(config)).toContain("tap0");
    }
  });

  test("makes machines that start, and end with their app", async () => {
    const file = await busyboxBundle();
    const dir = path.join(temporaryDirectory(), "machine");
    const script = `B=$FUSELAGE_BUNDLE_DIR/bin/busybox; echo "hello from $1 $WHERE"; $B tty
      $B cat /sys/class/misc/hw_random/rng_current; exit 7`;
    await exportMicroVm({
      input: file,
      microvm: dir,
      kernel: named,
      args: ["sh", "-c", script, "sh", "the image"],
      env: ["WHERE=in a machine"],
    });
    const boards = {
      firecracker: [
        ...["-M", "microvm,acpi=on,rtc=on,isa-serial=on,x-option-roms=off"],
        ...["-global", "virtio-mmio.force-legacy=false", "-device", "virtio-blk-device,drive=app"],
        ...["-device", "virtio-rng-device"],
      ],
      "cloud-hypervisor": [
        ...["-M", "q35", "-device", "virtio-blk-pci,drive=app"],
        ...["-device", "virtio-rng-pci"],
      ],
    };
    for (const [vmm, board] of Object.entries(boards)) {
      const said = await emulate(dir, vmm, board);
      expect(said, vmm).toContain(
        "hello from the image in a machine\n/dev/console\nvirtio_rng.0\n",
      );
      expect(said, vmm).toMatch(/^fuselage: X 1792 [0-9]+$/m);
    }
  });

  test("refuses what it cannot write", async () => {
    const file = await packHello();
    const dir = path.join(temporaryDirectory(), "machine");
    const refused = async (...options: string[]) => {
      const outcome = await bundle(["export", file, "--microvm", dir, ...options]);
      expect(outcome.status).not.toBe(0);
      return outcome.stderr;
    };
    expect(await refused("--to", "oci:x")).toContain("E_OPTION_CONFLICT");
    expect(await refused("--cpus", "3")).toContain("1 or an even number");
    expect(await refused("--memory", "8M")).toContain("64M or more");
    expect(await refused("--tap", "tap0")).toContain("--tap takes --address");
    expect(await refused("--gateway", "10.0.0.1")).toContain("--gateway takes --tap");
    expect(await refused("--kernel", "/etc/hostname")).toContain("E_VM_KERNEL_FORMAT");
    expect(await refused("--program", "/x")).toContain("--program says nothing to --microvm");
    const image = await bundle(["export", file, "--kernel", "x", "--to", "oci:x"]);
    expect(image.stderr).toContain("--kernel goes with --microvm");
    expect(() => statSync(dir)).toThrow("ENOENT");
  });
});
