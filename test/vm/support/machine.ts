/**
 * A virtual machine of qemu's, with the host's half of docs/vm-protocol.md in its plainest form: what tests of
 * process 1 need. The machine is emulated, so a start takes seconds.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { onTestFinished } from "vitest";
import { guestProtocol } from "../../../builder/generated/spec.ts";
import { openKernel } from "../../../builder/vm/host/unpacked-kernel.ts";
import { initramfs, type RunRecord, runArchive } from "../../../builder/vm/initramfs.ts";
import { findKernel, type Kernel } from "../../../builder/vm/kernel.ts";
import type { MachineNeeds } from "../../../builder/vm/kernel-features.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const defaults: MachineNeeds = {
  bus: "pci",
  compression: "zstd",
  streams: true,
  network: true,
  volumes: [],
  entropy: false,
  overlay: true,
  pvh: false,
};

type Send = (line: string) => void;

export interface MachineOptions {
  /** The bundle, and what stands behind it. */
  disks: readonly string[];
  records?: readonly RunRecord[];
  needs?: Partial<MachineNeeds>;
  /** Put behind qemu's other arguments. */
  more?: readonly string[];
  /** Starts the kernel's file as it is, which unpacks itself, as where no cache can keep what is in it. */
  asPacked?: boolean;
  input?: Uint8Array;
  /** Called with each line of the guest's. */
  onLine?: (line: string, send: Send) => void;
  /** Called with all that came on stdout so far. */
  onOutput?: (all: string, send: Send) => void;
}

export interface Ended {
  /** Of the guest's. */
  lines: string[];
  out: Buffer;
  err: Buffer;
  console: string;
  /** As of wait(2); undefined: the guest did not say. */
  status: number | undefined;
  /** `CODE TEXT`, or "". */
  failure: string;
  /** The largest resident size of process 1, KiB. */
  resident: number | undefined;
}

/** The kernel that tests start: an installed one, or that of a file. */
function testKernel(needs: Partial<MachineNeeds> = {}): Promise<Kernel> {
  const file = process.env["FUSELAGE_TEST_KERNEL"];
  return findKernel({ arch: "x86_64", needs: { ...defaults, ...needs }, file });
}

/** Collects what a port says. `socket` is undefined until qemu has connected. */
class Port {
  readonly chunks: Buffer[] = [];
  bytes = 0;
  socket: net.Socket | undefined;
  readonly #server: net.Server;

  constructor(file: string, onData: (chunk: Buffer) => void) {
    this.#server = net.createServer((socket) => {
      this.socket = socket
        .on("error", () => {})
        .on("data", (chunk) => {
          this.chunks.push(chunk);
          this.bytes += chunk.length;
          onData(chunk);
        });
      this.#server.close();
    });
    this.#server.listen(file);
  }

  async listening(): Promise<void> {
    if (!this.#server.listening) await once(this.#server, "listening");
  }

  get all(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

/** Starts a machine and waits for its end. */
export async function runMachine(options: MachineOptions): Promise<Ended> {
  const needs = { ...defaults, ...options.needs };
  const kernel = await testKernel(needs);
  const { modules, compression } = kernel;
  const dir = temporaryDirectory();
  const common = await initramfs({ arch: "x86_64", modules, compression, effort: "fast" });
  const records: RunRecord[] = [["transport", "virtio"], ...(options.records ?? [])];
  writeFileSync(path.join(dir, "initramfs"), Buffer.concat([common, runArchive(records)]));

  const lines: string[] = [];
  let text = "";
  const send: Send = (line) => ports.ctl.socket?.write(`${line}\n`);
  const onLine = (line: string) => {
    lines.push(line);
    if (line.startsWith("H ")) send(`T ${(Date.now() / 1000).toFixed(3)}`);
    if (line.startsWith("U ")) feed();
    options.onLine?.(line, send);
    finish();
  };
  const feed = () => {
    ports.in.socket?.write(options.input ?? Buffer.alloc(0));
    if (options.input !== undefined) send(`E ${options.input.length}`);
  };
  /** All that the guest promised is here. */
  const finish = () => {
    const [, out = "0", err = "0"] = lines.find((line) => line.startsWith("D "))?.split(" ") ?? [];
    const isDone = lines.some((line) => line.startsWith("X "));
    const isWhole = ports.out.bytes >= Number(out) && ports.err.bytes >= Number(err);
    if ((isDone && isWhole) || lines.some((line) => line.startsWith("F "))) qemu.kill("SIGKILL");
  };
  const onData: Record<string, (chunk: Buffer) => void> = {
    ctl: (chunk) => {
      text += chunk.toString();
      const whole = text.split("\n");
      text = whole.pop() ?? "";
      for (const line of whole) onLine(line);
    },
    out: () => {
      options.onOutput?.(ports.out.all.toString(), send);
      finish();
    },
    err: finish,
    in: () => {},
  };
  const made = guestProtocol.streams.map(({ name }) => [
    name,
    new Port(path.join(dir, name), onData[name] ?? (() => {})),
  ]);
  const ports = Object.fromEntries(made) as Record<"ctl" | "in" | "out" | "err", Port>;
  await Promise.all(Object.values(ports).map((port) => port.listening()));
  await using unpacked = options.asPacked ? undefined : await openKernel(kernel);
  const started = unpacked ? `/proc/${process.pid}/fd/${unpacked.fd}` : kernel.file;
  const qemu = spawn("qemu-system-x86_64", qemuArguments(dir, started, options), {
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => {
    qemu.kill("SIGKILL");
  });
  let said = "";
  qemu.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    said += chunk;
  });
  await once(qemu, "close");
  const last = lines.find((line) => line.startsWith("X "))?.split(" ");
  return {
    lines,
    out: ports.out.all,
    err: ports.err.all,
    console: readFileSync(path.join(dir, "console"), "utf8") + said,
    status: last && Number(last[1]),
    failure: lines.find((line) => line.startsWith("F "))?.slice(2) ?? "",
    resident: last && Number(last[2]),
  };
}

/** What a machine is, but for its disks and ports: `boards.q35` has a PCI bus. */
const board = [
  ...["-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256"],
  ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
];

function qemuArguments(dir: string, kernel: string, { disks, more }: MachineOptions): string[] {
  const streams = guestProtocol.streams.flatMap(({ name, port }, index) => [
    ...["-chardev", `socket,id=${name},path=${path.join(dir, name)}`],
    "-device",
    `virtserialport,bus=ports.0,nr=${index + 1},chardev=${name},name=${port}`,
  ]);
  return [
    ...board,
    ...["-kernel", kernel, "-initrd", path.join(dir, "initramfs")],
    // On a loaded machine an emulated timer may be late for the kernel's test of it, which then panics. The kernel's
    // tests of its own ciphers would be half of a start (builder/vm/host/boot.ts).
    ...["-append", "console=ttyS0 quiet reboot=t panic=-1 no_timer_check cryptomgr.notests"],
    ...["-serial", `file:${path.join(dir, "console")}`],
    ...disks.flatMap((file) => [
      "-drive",
      `file=${file},format=raw,if=virtio,readonly=on,file.locking=off`,
    ]),
    ...["-device", "virtio-serial-pci,id=ports,max_ports=8", ...streams],
    ...(more ?? []),
  ];
}
