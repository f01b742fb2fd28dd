/** The kernel of a virtual machine: which one, whether it has what is needed, and its modules. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { StreamCodec } from "../archive/compressed-stream.ts";
import * as errors from "../errors.ts";
import type { Architecture } from "../host/paths.ts";
import { readRegularFile } from "../host/status.ts";
import type { KernelModule } from "./initramfs.ts";
import { type KernelConfig, readConfig } from "./kernel-config.ts";
import { featuresFor, type KernelFeature, type MachineNeeds } from "./kernel-features.ts";
import { type KernelFormat, readKernelImage } from "./kernel-image.ts";
import { ModuleFolder } from "./kernel-modules.ts";

/** A kernel that can run what is asked for. */
export interface Kernel {
  file: string;
  format: KernelFormat;
  release: string;
  /** SHA-256 of the file, hex digits. */
  digest: string;
  bytes: Buffer;
  /** In the order in which they are loaded. */
  modules: readonly KernelModule[];
  /** The best that it can decompress an initramfs from. */
  compression: StreamCodec;
}

export interface KernelRequest {
  needs: MachineNeeds;
  /** Of the bundle. */
  arch: Architecture;
  /** A file; undefined: the newest that is installed and has what is needed. */
  file?: string | undefined;
}

/** Folders that installed kernels are in, each with what follows `vmlinuz-`. */
const BOOT = "/boot";
const MODULES = ["/lib/modules", "/usr/lib/modules"];

/** Package with a kernel by what a system says of itself (ID and ID_LIKE of os-release). */
const packages: readonly { ids: RegExp; command: string }[] = [
  { ids: /\bdebian\b/, command: "apt-get install linux-image-cloud-amd64" },
  { ids: /\bubuntu\b/, command: "apt-get install linux-image-kvm" },
  { ids: /\b(?:fedora|rhel|centos)\b/, command: "dnf install kernel-core kernel-modules" },
  { ids: /\bsuse\b/, command: "zypper install kernel-default" },
  { ids: /\barch\b/, command: "pacman -S linux" },
  { ids: /\balpine\b/, command: "apk add linux-virt" },
];

async function installHint(): Promise<string> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const ids = [...text.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].map(([, id]) => id).join(" ");
  const known = packages.find((one) => one.ids.test(ids))?.command;
  return known === undefined
    ? "Install a kernel of this machine's distribution, or name a file with --kernel FILE."
    : `Install one (${known}), or name a file with --kernel FILE.`;
}

/** Newer ones first: numbers in a release are compared as numbers. */
const newestFirst = (a: string, b: string) => b.localeCompare(a, "en", { numeric: true });

/** Files of kernels that are installed, the newest first. */
async function installedKernels(boot: string, modules: readonly string[]): Promise<string[]> {
  const inBoot = await readdir(boot).catch(() => []);
  const found = inBoot.flatMap((name) => {
    const release = /^vmlinu[xz]-(.+)$/.exec(name)?.[1];
    return release === undefined ? [] : [{ release, file: path.join(boot, name) }];
  });
  for (const folder of modules) {
    for (const release of await readdir(folder).catch(() => [])) {
      const beside: string[] = await readdir(path.join(folder, release)).catch(() => []);
      if (!beside.includes("vmlinuz") || found.some((one) => one.release === release)) continue;
      found.push({ release, file: path.join(folder, release, "vmlinuz") });
    }
  }
  return found.sort((a, b) => newestFirst(a.release, b.release)).map(({ file }) => file);
}

/**
 * Where the modules of a release are. What lies beside a kernel that was unpacked somewhere goes first:
 * DIR/boot/vmlinuz-RELEASE has DIR/lib/modules/RELEASE.
 */
async function moduleFolder(file: string, release: string): Promise<string> {
  const around = path.dirname(path.dirname(path.resolve(file)));
  const places = [...MODULES.map((folder) => path.join(around, folder)), ...MODULES];
  for (const place of places) {
    const dir = path.join(place, release);
    if ((await readdir(dir).catch(() => undefined)) !== undefined) return dir;
  }
  return path.join(MODULES[0] ?? "/", release);
}

/** What a kernel lacks, and the modules that have to be loaded for the rest. */
function compare(
  features: readonly KernelFeature[],
  config: KernelConfig | undefined,
  modules: ModuleFolder,
): { lacks: string[]; wanted: string[] } {
  const lacks: string[] = [];
  const wanted: string[] = [];
  for (const { option, module, optional } of features) {
    const value = config?.get(option);
    if (value === "y") continue;
    if (optional && (config === undefined ? !modules.has(module ?? "") : value !== "m")) continue;
    if (module === undefined) {
      if (config !== undefined) lacks.push(`CONFIG_${option}=y`);
    } else if (config !== undefined && value !== "m") lacks.push(`CONFIG_${option}`);
    else if (!modules.isBuiltIn(module)) wanted.push(module);
  }
  return { lacks, wanted };
}

/** Options by which a kernel loads signed modules alone, whatever its command line says. */
const INSISTENT = [
  "MODULE_SIG_FORCE",
  "LOCK_DOWN_KERNEL_FORCE_INTEGRITY",
  "LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY",
];

/** One whose configuration is not known may. */
const insistsOnSignatures = (config: KernelConfig | undefined) =>
  config === undefined || INSISTENT.some((option) => config.get(option) === "y");

/** What its configuration says; one that is not known is taken to have the oldest of them. */
function bestCompression(config: KernelConfig | undefined): StreamCodec {
  if (config?.get("RD_ZSTD") === "y") return "zstd";
  return config === undefined || config.get("RD_GZIP") === "y" ? "gzip" : "none";
}

function bytesOfKernel(file: string): Buffer {
  try {
    return readRegularFile(file);
  } catch (cause) {
    throw errors.vmKernelFormat(file, `cannot be read: ${errors.systemReason(cause)}`, { cause });
  }
}

/**
 * Reads a kernel and checks that it has what is needed.
 *
 * @throws E_VM_KERNEL_FORMAT, E_VM_KERNEL_UNFIT, E_VM_MODULE
 */
export async function readKernel(file: string, needs: MachineNeeds): Promise<Kernel> {
  const bytes = bytesOfKernel(file);
  const image = readKernelImage(bytes);
  if (image === undefined) {
    throw errors.vmKernelFormat(file, "is no kernel", {
      expected: "a bzImage, an ELF file (vmlinux) or an Image of arm64",
    });
  }
  const release = image.release ?? /^vmlinu[xz]-(.+)$/.exec(path.basename(file))?.[1];
  if (release === undefined) throw errors.vmKernelFormat(file, "does not say which release it is");
  const dir = await moduleFolder(file, release);
  const config = await readConfig(release, dir, file);
  const features = featuresFor(needs);
  const look = async (whole: boolean) => {
    const folder = await ModuleFolder.open(release, dir, whole);
    const { lacks, wanted } = compare(features, config, folder);
    return { folder, lacks, wanted, missing: wanted.filter((name) => !folder.has(name)) };
  };
  let seen = await look(false);
  if (seen.missing.length > 0) seen = await look(true);
  const { folder, lacks, wanted, missing } = seen;
  if (lacks.length > 0 || missing.length > 0) {
    throw errors.vmKernelUnfit(file, release, lacks, missing, dir);
  }
  return {
    file,
    format: image.format,
    release,
    digest: createHash("sha256").update(bytes).digest("hex"),
    bytes,
    modules: await folder.load(wanted, insistsOnSignatures(config)),
    compression: bestCompression(config),
  };
}

/**
 * The kernel that is named, or the newest that is installed and has what is needed.
 *
 * @throws E_VM_KERNEL_MISSING where there is none, and what `readKernel` throws of the one that is named
 */
export async function findKernel({ needs, file }: KernelRequest): Promise<Kernel> {
  if (file !== undefined) return readKernel(file, needs);
  const refused: string[] = [];
  for (const installed of await installedKernels(BOOT, MODULES)) {
    try {
      return await readKernel(installed, needs);
    } catch (cause) {
      if (!(cause instanceof errors.BundleError)) throw cause;
      refused.push(cause.message);
    }
  }
  throw errors.vmKernelMissing(refused, await installHint());
}
