/** The command line of QEMU for a machine. */
import { guestProtocol } from "../../generated/spec.ts";
import type { Accelerator } from "./accelerator.ts";
import { type Network, networkArguments } from "./network.ts";

/** What decides how a machine is made. A snapshot can be restored into one that is the same in all of it. */
interface Hardware {
  cpus: number;
  /** MiB */
  memory: number;
  network: Network;
}

/** A file that is a disk, whole and read-only: what is open, whatever has its name. */
export interface Disk {
  /** Absolute path, which only tells whoever looks at processes. */
  file: string;
  /** Open for reading. */
  fd: number;
}

export interface Disks {
  /** The bundle. */
  app: Disk;
  /** The root directory around the app, where it gets one. */
  root?: Disk | undefined;
}

/** A volume, by the socket of its virtiofsd or, by 9p, as QEMU itself reads and writes it. */
export type SharedFolder =
  | { type: "virtiofs"; socket: string }
  | { type: "9p"; source: string; readOnly: boolean };

export interface QemuPlan extends Hardware {
  accelerator: Accelerator;
  disks: Disks;
  /** Absent for a machine that is restored: it has its memory from the snapshot. */
  boot: { kernel: number; commandLine: string } | undefined;
  volumes: readonly SharedFolder[];
  /** Restored from descriptor `FD.state`. */
  restored: boolean;
}

/** Descriptors that QEMU is started with; sockets, and from `initramfs` on files. */
export const FD = {
  ...{ ctl: 3, in: 4, out: 5, err: 6, qmp: 7, console: 8 },
  ...{ initramfs: 9, state: 10, app: 11, root: 12, kernel: 13 },
};

/** What volumes are called between QEMU and the guest. */
export const volumeTag = (index: number): string => `volume${index}`;

/**
 * The machine is a q35: it has a clock by which a kernel finds out how fast the others are, also where an emulated
 * processor is held up by others' work. Without one, as on a microvm, some starts hang there.
 */
const MACHINE = ["-M", "q35,usb=off,sata=off,smbus=off,vmport=off"];

/**
 * Emulated, a processor that has fast instructions for strings ("erms") is a slow one: QEMU goes through them byte by byte, a
 * tenth of all instructions of a start, and where it has none kernels and libraries take eight bytes at once.
 */
const PROCESSORS: Record<Accelerator, string> = { kvm: "host", tcg: "max,-erms" };

/** QEMU opens no path for it: a set of descriptors has the one that it was started with. */
function disk(name: keyof Disks, { file: shown }: Disk): string[] {
  const fd = FD[name];
  const file = { driver: "file", filename: `/dev/fdset/${fd}`, locking: "off" };
  const node = { driver: "raw", "node-name": name, "read-only": true, "auto-read-only": false };
  return [
    ...["-add-fd", `fd=${fd},set=${fd},opaque=${quoted(shown)}`],
    ...["-blockdev", JSON.stringify({ ...node, file })],
    ...["-device", `virtio-blk-pci,drive=${name},serial=${guestProtocol.disks[name]}`],
  ];
}

/** A source of random numbers for the guest's kernel: those of the host's. */
const ENTROPY = [
  ...["-object", "rng-random,id=entropy,filename=/dev/urandom"],
  ...["-device", "virtio-rng-pci,rng=entropy"],
];

/** A socket pair's other end, by its descriptor. */
const channel = (id: string, fd: number) => ["-chardev", `socket,id=${id},fd=${fd}`];

function channels(): string[] {
  const ports = guestProtocol.streams.flatMap(({ name, port }, index) => [
    ...channel(name, FD[name]),
    ...["-device", `virtserialport,bus=channels.0,nr=${index + 1},chardev=${name},name=${port}`],
  ]);
  return [
    ...["-device", "virtio-serial-pci,id=channels,max_ports=8"],
    ...ports,
    ...channel("qmp", FD.qmp),
    ...["-mon", "chardev=qmp,mode=control"],
    ...channel("console", FD.console),
    ...["-serial", "chardev:console"],
  ];
}

/** What is to stand in a value has its commas twice. */
const quoted = (text: string) => text.replaceAll(",", ",,");

/**
 * By 9p QEMU opens each part of a path without following links, so that nothing outside of the folder is
 * reached, and files have the modes and owners that they have on the host ("none": what only root may give
 * away keeps its owner, without an error).
 */
function volume(folder: SharedFolder, index: number): string[] {
  const tag = volumeTag(index);
  if (folder.type === "virtiofs") {
    return [
      ...["-chardev", `socket,id=${tag},path=${quoted(folder.socket)}`],
      ...["-device", `vhost-user-fs-pci,chardev=${tag},tag=${tag},queue-size=1024`],
    ];
  }
  const { source, readOnly } = folder;
  const how = `security_model=none,multidevs=remap${readOnly ? ",readonly=on" : ""}`;
  return [
    ...["-fsdev", `local,id=${tag},path=${quoted(source)},${how}`],
    ...["-device", `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ];
}

/** Virtiofs reads and writes the guest's memory itself, so that is shared with its server. */
function memory({ memory, volumes }: QemuPlan): string[] {
  const size = ["-m", `${memory}M`];
  if (!volumes.some(({ type }) => type === "virtiofs")) return size;
  const backend = `memory-backend-memfd,id=memory,size=${memory}M,share=on`;
  return [...size, "-object", backend, "-machine", "memory-backend=memory"];
}

const bootArguments = ({ commandLine }: { commandLine: string }) => [
  ...["-kernel", `/dev/fd/${FD.kernel}`, "-initrd", `/dev/fd/${FD.initramfs}`],
  ...["-append", commandLine],
];

/** Options that say what the machine is, and not what of the host's it is given. */
const OF_HARDWARE = ["-M", "-cpu", "-smp", "-m", "-device"];

/** What a snapshot's machine has to have in common with one that it is restored into, in QEMU's words. */
export function hardwareOf(
  machine: Pick<QemuPlan, "accelerator" | "cpus" | "memory" | "network" | "disks">,
): string[] {
  const words = qemuArguments({ ...machine, boot: undefined, volumes: [], restored: false });
  return words.flatMap((word, index) =>
    OF_HARDWARE.includes(word) ? [`${word} ${words[index + 1]}`] : [],
  );
}

/** Everything behind the program's name. */
export function qemuArguments(plan: QemuPlan): string[] {
  const { accelerator, cpus, disks, boot, restored } = plan;
  return [
    ...MACHINE,
    ...["-accel", accelerator, "-cpu", PROCESSORS[accelerator]],
    ...["-smp", `${cpus}`],
    ...memory(plan),
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...(boot === undefined ? [] : bootArguments(boot)),
    ...disk("app", disks.app),
    ...(disks.root === undefined ? [] : disk("root", disks.root)),
    ...channels(),
    ...ENTROPY,
    ...networkArguments(plan.network),
    ...plan.volumes.flatMap(volume),
    ...(restored ? ["-S", "-incoming", `fd:${FD.state}`] : []),
  ];
}
