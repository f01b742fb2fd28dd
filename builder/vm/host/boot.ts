/** What a machine boots: a kernel of the host's, and our initramfs for it. */
import * as errors from "../../errors.ts";
import { Breath } from "../../host/breath.ts";
import { type Architecture, hostArchitecture } from "../../host/paths.ts";
import { initramfs, type RunRecord, runArchive } from "../initramfs.ts";
import { findKernel, type Kernel } from "../kernel.ts";
import type { ResolvedVmOptions } from "./options.ts";
import { openKernel } from "./unpacked-kernel.ts";
import { type Carrier, carriersOf } from "./volumes.ts";

export interface Boot {
  /** Descriptor of the kernel. */
  kernel: number;
  commandLine: string;
  /** By what the volumes are shared; undefined: there are none. */
  carrier: Carrier | undefined;
  /** Bytes of the initramfs without a run file. */
  bytes: number;
  /** The initramfs with a run file of these records. */
  initramfs(records: readonly RunRecord[]): Buffer;
}

/** What of a bundle its kernel has to know. */
export interface BundleNeeds {
  /** Codec of its image. */
  compression: string;
  /** Codec of the image around it, where there is one. */
  rootCompression?: string | undefined;
  /** Its image is a root directory, or the app may write to it. */
  overlay: boolean;
}

/**
 * The console is where failures of the start are looked for; a panic ends the machine, since QEMU does not start
 * one again that resets. An emulated timer may be late for the kernel's test of it, after which it panics; by KVM there
 * is no such test. The kernel's tests of its own ciphers are half of all instructions of a start; they are for
 * new hardware, and this is none. Nor are its instructions for several processors changed to those for one in its text
 * ("noreplace-smp"): what is changed there QEMU has to translate again.
 */
const COMMAND_LINE =
  "console=ttyS0 quiet reboot=t panic=-1 no_timer_check cryptomgr.notests noreplace-smp";

/**
 * Hands `use` what is booted, which is open until that is done.
 *
 * @throws E_VM_KERNEL_*, E_VM_MODULE, E_VM_VOLUME, E_RUNTIME_MISSING, and what `use` throws
 */
export async function withBoot<T>(
  options: ResolvedVmOptions,
  needs: BundleNeeds,
  use: (boot: Boot) => Promise<T>,
): Promise<T> {
  const arch = hostArchitecture() as Architecture;
  const { kernel, carrier } = await chooseKernel(options, needs);
  const { modules, compression } = kernel;
  // Between what takes long signals are heard.
  const breath = new Breath();
  await breath.take();
  const base = await initramfs({ arch, modules, compression, effort: "fast" });
  const handle = await openKernel(kernel);
  try {
    await breath.take();
    return await use({
      kernel: handle.fd,
      commandLine: COMMAND_LINE,
      carrier,
      bytes: base.length,
      initramfs: (records) => Buffer.concat([base, runArchive(records)]),
    });
  } finally {
    await handle.close();
  }
}

/** A kernel, and what it shares the volumes by. */
async function chooseKernel(
  { kernel: file, network, volumes }: ResolvedVmOptions,
  bundleNeeds: BundleNeeds,
): Promise<{ kernel: Kernel; carrier: Carrier | undefined }> {
  const find = (types: readonly Carrier["type"][]) =>
    findKernel({
      arch: hostArchitecture() as Architecture,
      file,
      needs: {
        ...bundleNeeds,
        ...{ bus: "pci", streams: true, entropy: true, pvh: false },
        network: network.kind !== "none",
        volumes: types,
      },
    });
  const [volume] = volumes;
  if (volume === undefined) return { kernel: await find([]), carrier: undefined };
  const { carriers, refused } = await carriersOf(volumes);
  const reasons = refused === undefined ? [] : [refused];
  for (const carrier of carriers) {
    try {
      return { kernel: await find([carrier.type]), carrier };
    } catch (cause) {
      if (!(cause instanceof errors.BundleError)) throw cause;
      reasons.push(`by ${carrier.type}: ${cause.message}`);
    }
  }
  // What every machine needs is told as it is, without a word of volumes.
  await find([]);
  throw errors.vmVolume(volume.source, reasons.join("; "));
}
