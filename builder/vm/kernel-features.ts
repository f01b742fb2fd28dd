/** What a kernel has to have to run a bundle as a virtual machine. */

/** How devices reach the machine. */
type DeviceBus = "mmio" | "pci";

/** What one machine needs. */
export interface MachineNeeds {
  bus: DeviceBus;
  /** Codec of the bundle's image. */
  compression: string;
  /** Of the image around it, where there is one. */
  rootCompression?: string | undefined;
  /** virtio-serial ports, in place of the console. */
  streams: boolean;
  network: boolean;
  /** Types of volumes. */
  volumes: readonly ("virtiofs" | "9p")[];
  /** Whether there is a virtio-rng. A kernel that has no driver of it starts without. */
  entropy: boolean;
  /** A root directory or a writable image. */
  overlay: boolean;
  /** Whether the VMM starts an ELF file, by its PVH entry. */
  pvh: boolean;
}

/** An option of its configuration, and the module that it may be in place of being built in. */
export interface KernelFeature {
  /** Without `CONFIG_`. */
  option: string;
  /** Without one it has to be built in. */
  module?: string;
  /** A kernel that was built without it will do. */
  optional?: true;
}

const always: readonly KernelFeature[] = [
  { option: "BLK_DEV_INITRD" },
  { option: "BINFMT_ELF" },
  { option: "DEVTMPFS" },
  { option: "TMPFS" },
  { option: "PROC_FS" },
  { option: "SYSFS" },
];

/** Squashfs's options by the names of the image's codecs. */
const codecs: Record<string, string> = {
  gzip: "SQUASHFS_ZLIB",
  xz: "SQUASHFS_XZ",
  zstd: "SQUASHFS_ZSTD",
  lz4: "SQUASHFS_LZ4",
  lzo: "SQUASHFS_LZO",
};

const volumeFeatures: Record<"virtiofs" | "9p", readonly KernelFeature[]> = {
  virtiofs: [
    { option: "FUSE_FS", module: "fuse" },
    { option: "VIRTIO_FS", module: "virtiofs" },
  ],
  "9p": [
    { option: "NET_9P_VIRTIO", module: "9pnet_virtio" },
    { option: "9P_FS", module: "9p" },
  ],
};

/** Records and lines of the host's seed the generator, with it and without. */
const virtioRng: KernelFeature = {
  option: "HW_RANDOM_VIRTIO",
  module: "virtio_rng",
  optional: true,
};

/** In the order in which modules are loaded: devices are there before what looks for them. */
export function featuresFor(needs: MachineNeeds): KernelFeature[] {
  const images = [needs.compression, needs.rootCompression];
  const read = new Set(images.map((codec) => codecs[codec ?? ""]));
  return [
    ...always,
    ...(needs.pvh ? [{ option: "PVH" }] : []),
    needs.bus === "pci"
      ? { option: "VIRTIO_PCI", module: "virtio_pci" }
      : { option: "VIRTIO_MMIO", module: "virtio_mmio" },
    { option: "VIRTIO_BLK", module: "virtio_blk" },
    ...(needs.streams ? [{ option: "VIRTIO_CONSOLE", module: "virtio_console" }] : []),
    { option: "SQUASHFS", module: "squashfs" },
    ...[...read].filter((option) => option !== undefined).map((option) => ({ option })),
    ...(needs.overlay ? [{ option: "OVERLAY_FS", module: "overlay" }] : []),
    ...(needs.network ? [{ option: "VIRTIO_NET", module: "virtio_net" }] : []),
    ...needs.volumes.flatMap((type) => volumeFeatures[type]),
    ...(needs.entropy ? [virtioRng] : []),
  ];
}
