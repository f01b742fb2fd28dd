/**
 * What Firecracker and cloud-hypervisor read to start a machine: the fields of FullVmConfiguration in
 * src/firecracker/swagger/firecracker.yaml, and of VmConfig in vmm/src/api/openapi/cloud-hypervisor.yaml.
 */
import type { RunRecord } from "./initramfs.ts";
import type { MachineNeeds } from "./kernel-features.ts";

/** VMMs whose files are written. */
export const microVmms = ["firecracker", "cloud-hypervisor"] as const;

export type MicroVmm = (typeof microVmms)[number];

/** What the user says of the machine. */
export interface MachineShape {
  cpus: number;
  /** MiB. */
  memory: number;
  /** Device of the host's, which is there already. */
  tap: string | undefined;
}

/** Names of files that both have; they stand beside the configuration. */
export const KERNEL_FILE = "vmlinux";
export const DISK_FILE = "disk";

/** How the machine gets its devices, ends and talks. */
interface Platform {
  bus: MachineNeeds["bus"];
  end: string;
  commandLine: string;
  config(shape: MachineShape, files: { initramfs: string; commandLine: string }): object;
}

const platforms: Record<MicroVmm, Platform> = {
  firecracker: {
    bus: "mmio",
    // It knows no other end: a reset by the keyboard's controller.
    end: "reset",
    commandLine: "console=ttyS0 quiet reboot=k panic=-1 i8042.noaux i8042.nomux i8042.dumbkbd",
    config: ({ cpus, memory, tap }, { initramfs, commandLine }) => ({
      "boot-source": {
        kernel_image_path: KERNEL_FILE,
        initrd_path: initramfs,
        boot_args: commandLine,
      },
      drives: [
        // The root device would be named on the kernel's command line; ours is the initramfs.
        {
          drive_id: "app",
          path_on_host: DISK_FILE,
          is_root_device: false,
          is_read_only: true,
        },
      ],
      "machine-config": { vcpu_count: cpus, mem_size_mib: memory, smt: false },
      ...(tap === undefined
        ? {}
        : { "network-interfaces": [{ iface_id: "eth0", host_dev_name: tap }] }),
      entropy: {},
    }),
  },
  "cloud-hypervisor": {
    bus: "pci",
    // A reset starts the machine again.
    end: "poweroff",
    commandLine: "console=ttyS0 quiet panic=-1",
    config: ({ cpus, memory, tap }, { initramfs, commandLine }) => ({
      payload: { kernel: KERNEL_FILE, initramfs, cmdline: commandLine },
      cpus: { boot_vcpus: cpus, max_vcpus: cpus },
      memory: { size: memory * 1024 * 1024 },
      disks: [{ path: DISK_FILE, readonly: true }],
      ...(tap === undefined ? {} : { net: [{ tap }] }),
      rng: { src: "/dev/urandom" },
      serial: { mode: "Tty" },
      console: { mode: "Off" },
    }),
  },
};

/** What the kernel of such a machine needs. */
export function microVmNeeds(
  vmm: MicroVmm,
  image: { compression: string; overlay: boolean },
  { tap }: MachineShape,
): MachineNeeds {
  return {
    ...image,
    bus: platforms[vmm].bus,
    streams: false,
    network: tap !== undefined,
    volumes: [],
    entropy: true,
    pvh: true,
  };
}

/** What the app is told in every start of the machine, which nobody holds the other end of. */
export function microVmRecords(vmm: MicroVmm, records: readonly RunRecord[]): RunRecord[] {
  return [["transport", "console"], ["end", platforms[vmm].end], ...records];
}

/** The files that say what a VMM starts, by their names beside the kernel and the disk. */
export function microVmFiles(vmm: MicroVmm, shape: MachineShape): Record<string, string> {
  const { commandLine, config } = platforms[vmm];
  const made = config(shape, { initramfs: initramfsFile(vmm), commandLine });
  return {
    [`${vmm}.json`]: `${JSON.stringify(made, null, 2)}\n`,
    [`${vmm}.cmdline`]: `${commandLine}\n`,
  };
}

/** Name of the initramfs of a VMM. */
export const initramfsFile = (vmm: MicroVmm): string => `${vmm}.initramfs`;
