/** Bundle → what Firecracker and cloud-hypervisor start as a machine. */
import { chmod, constants, copyFile, stat, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { checkOptions } from "../config/validate.ts";
import * as errors from "../errors.ts";
import { type Architecture, architectures } from "../host/paths.ts";
import { publishDirectory } from "../output/output-directory.ts";
import { initramfs, type RunRecord, runArchive } from "../vm/initramfs.ts";
import { findKernel, readKernel } from "../vm/kernel.ts";
import { unpackKernel } from "../vm/kernel-image.ts";
import {
  DISK_FILE,
  initramfsFile,
  KERNEL_FILE,
  type MachineShape,
  microVmFiles,
  microVmms,
  microVmNeeds,
  microVmRecords,
} from "../vm/microvm.ts";
import { holdImage } from "./inspect.ts";

/** What the files of a micro-VM are made of. */
export interface MicroVmOptions {
  /** Bundle. */
  input: string;
  /** A new or empty folder. */
  microvm: string;
  /** Kernel. Default: the newest installed one that has what is needed. */
  kernel?: string | undefined;
  /** Default 1. */
  cpus?: number | undefined;
  /** `512M` or `2G`. Default "256M". */
  memory?: string | undefined;
  /** Network device of the host's. Default: the machine has none. */
  tap?: string | undefined;
  /** `A.B.C.D/BITS` of the machine there. */
  address?: string | undefined;
  /** `A.B.C.D` */
  gateway?: string | undefined;
  /** Each `A.B.C.D`. */
  nameservers?: readonly string[] | undefined;
  /** Arguments of the app. */
  args?: readonly string[] | undefined;
  /** Variables of the app, each `K=V`. */
  env?: readonly string[] | undefined;
}

/** A folder with everything that a VMM reads. */
export interface MicroVm {
  /** Absolute path of it. */
  directory: string;
  /** Release of the kernel. */
  kernel: string;
  /** Names of the files in it. */
  files: readonly string[];
}

const SECTOR = 512;

/**
 * Writes a kernel, an initramfs and a configuration for each VMM, and the bundle as their disk. The same bundle,
 * kernel and options give the same bytes. Paths in the configurations are relative to the folder.
 *
 * @throws E_OPTION_*, E_EXPORT_INPUT, E_EXTRACT_EXISTS, E_VM_KERNEL_*, E_VM_MODULE, and what `inspect` throws
 *
 * @example
 * ```js
 * import { build, exportMicroVm } from "fuselage-bundle";
 *
 * await build({ input: "hello", output: "hello.run" });
 * try {
 *   await exportMicroVm({ input: "hello.run", microvm: "machine", kernel: "hello.run" });
 * } catch (error) {
 *   console.log(error.code); // E_VM_KERNEL_FORMAT
 * }
 * ```
 */
export async function exportMicroVm(options: MicroVmOptions): Promise<MicroVm> {
  checkOptions("export", options);
  return withBundle(options.input, (facts) => writeMachine(options, facts));
}

async function writeMachine(options: MicroVmOptions, facts: BundleFacts): Promise<MicroVm> {
  const { input, microvm, kernel: file } = options;
  const shape = shapeOf(options);
  const { arch, image, size } = facts;
  const records = recordsOf(options);
  // Both have the same kernel, of which they need different modules.
  const [first, ...others] = microVmms;
  const found = await findKernel({ arch, file, needs: microVmNeeds(first, image, shape) });
  const elf = elfOf(found.file, found.format, found.bytes);
  const kernels = [
    { vmm: first, kernel: found },
    ...(await Promise.all(
      others.map(async (vmm) => ({
        vmm,
        kernel: await readKernel(found.file, microVmNeeds(vmm, image, shape)),
      })),
    )),
  ];
  const { dir, result } = await publishDirectory(microvm, async (folder) => {
    await chmod(folder, 0o777 & ~process.umask());
    const files: Record<string, string | Uint8Array> = { [KERNEL_FILE]: elf };
    for (const { vmm, kernel } of kernels) {
      const { modules, compression } = kernel;
      const common = await initramfs({ arch, modules, compression, effort: "smallest" });
      const run = runArchive(microVmRecords(vmm, records));
      files[initramfsFile(vmm)] = Buffer.concat([common, run]);
      Object.assign(files, microVmFiles(vmm, shape));
    }
    for (const [name, data] of Object.entries(files))
      await writeFile(path.join(folder, name), data);
    await copyDisk({ file: input, fd: facts.fd, size }, path.join(folder, DISK_FILE));
    return [DISK_FILE, ...Object.keys(files)].sort();
  });
  return { directory: dir, kernel: found.release, files: result };
}

/** VMMs take whole sectors of a disk, and cut off what is behind the last one. */
async function copyDisk(
  { file, fd, size }: { file: string; fd: number; size: number },
  to: string,
): Promise<void> {
  // What is open, whatever has its name by now: the machine was made for that.
  await copyFile(`/proc/self/fd/${fd}`, to, constants.COPYFILE_FICLONE).catch((cause: unknown) => {
    throw errors.outputFailed(to, "copying the bundle", cause);
  });
  await chmod(to, 0o444 & ~process.umask());
  if ((await stat(to)).size !== size) throw errors.fileChanged(file, "its size changed");
  if (size % SECTOR !== 0) await truncate(to, Math.ceil(size / SECTOR) * SECTOR);
}

function elfOf(file: string, format: string, bytes: Buffer): Buffer {
  if (format !== "bzImage") return bytes;
  try {
    return unpackKernel(bytes);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw errors.vmKernelFormat(file, `cannot be unpacked: ${what}`, { cause });
  }
}

/** What a machine is made by, of a bundle that is open. */
interface BundleFacts {
  arch: Architecture;
  size: number;
  image: { compression: string; overlay: boolean };
  fd: number;
}

function withBundle<T>(input: string, use: (facts: BundleFacts) => Promise<T>): Promise<T> {
  return holdImage(input, use, ({ manifest, size, arch }, { facts }, { fd }) => {
    if (manifest === undefined) throw errors.exportInput(input, "is no bundle");
    if (manifest.invocation !== undefined) {
      const what = "records a command line of the runner: a machine starts a program of its image";
      throw errors.exportInput(input, what);
    }
    const machine: Architecture | undefined = architectures.find((one) => one === arch);
    if (machine !== "x86_64") {
      const what = `is for ${arch}: files of micro-VMs are written for x86_64`;
      throw errors.exportInput(input, what);
    }
    const overlay = manifest.root === "image" || manifest.writable === true;
    return { arch: machine, size, image: { compression: facts.compression, overlay }, fd };
  });
}

const UNITS = { M: 1, G: 1024 };
const DEFAULT_MEMORY = 256;
/** What is left for an app beside a kernel, MiB. */
const LEAST_MEMORY = 64;

/** @throws E_OPTION_VALUE, E_OPTION_CONFLICT */
function shapeOf({
  cpus = 1,
  memory,
  tap,
  address,
  gateway,
  nameservers,
}: MicroVmOptions): MachineShape {
  const [, number = "", unit = "M"] = /^([0-9]+)([MG])$/.exec(memory ?? "") ?? [];
  const size = number === "" ? DEFAULT_MEMORY : Number(number) * UNITS[unit as keyof typeof UNITS];
  if (size < LEAST_MEMORY) {
    throw errors.optionValue("memory", `${LEAST_MEMORY}M or more`, memory ?? "");
  }
  // Firecracker: one processor, or an even number of them.
  if (cpus > 32 || (cpus > 1 && cpus % 2 === 1)) {
    throw errors.optionValue("cpus", "1 or an even number, at most 32", String(cpus));
  }
  if (tap !== undefined && address === undefined) {
    throw errors.optionConflict((name) => `${name("tap")} takes ${name("address")} beside it`);
  }
  const without = Object.entries({ address, gateway, nameservers }).find(([, value]) => value);
  if (tap === undefined && without !== undefined) {
    throw errors.optionConflict((name) => `${name(without[0])} takes ${name("tap")} beside it`);
  }
  return { cpus, memory: size, tap };
}

function recordsOf({ args, env, address, gateway, nameservers }: MicroVmOptions): RunRecord[] {
  const each = (name: RunRecord[0], values: readonly string[] = []) =>
    values.map((value): RunRecord => [name, value]);
  return [
    ...each("arg", args),
    ...each("env", env),
    ...each("address", address === undefined ? [] : [address]),
    ...each("gateway", gateway === undefined ? [] : [gateway]),
    ...each("nameserver", nameservers),
  ];
}
