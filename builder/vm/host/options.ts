/** What `bundle vm` takes, and the check of it at the edge. */
import { checkOptions } from "../../config/validate.ts";
import * as errors from "../../errors.ts";
import type { Accelerator } from "./accelerator.ts";
import { type Network, resolveNetwork } from "./network.ts";
import type { VmmName } from "./vmm.ts";
import { parseVolume, type Volume } from "./volumes.ts";

/** What decides how a machine is made and what runs in it. */
export interface VmOptions {
  /** Bundle to run. */
  bundle: string;
  /** Arguments of the app, behind the recorded ones. */
  args?: readonly string[] | undefined;
  /** Default: the one that is installed and can be driven. */
  vmm?: VmmName | undefined;
  /** Default "auto": KVM where it is usable, else emulation. */
  accel?: "auto" | Accelerator | undefined;
  /** Default 1. */
  cpus?: number | undefined;
  /** `512M`, `2G`; a number is MiB. Default 256M. */
  memory?: string | undefined;
  /** Kernel to boot. Default: the newest installed one that fits. */
  kernel?: string | undefined;
  /** Image of the system around the app: a squashfs file or a bundle. Default: none, as a bundle has what it needs. */
  root?: string | undefined;
  /** none, user or tap:NAME. Default: none, or only the published ports. */
  network?: string | undefined;
  /** `[ADDRESS:]PORT:PORT` */
  publish?: readonly string[] | undefined;
  /** Of a tap's other end: `A.B.C.D/BITS`. */
  address?: string | undefined;
  gateway?: string | undefined;
  /** `HOST:GUEST[:ro]` */
  volumes?: readonly string[] | undefined;
  /** `K=V`: the app gets these and what the bundle records, none of this process's. */
  env?: readonly string[] | undefined;
  workdir?: string | undefined;
  /** Seconds that it may take until the app runs. Default 120. */
  timeout?: number | undefined;
}

export interface ResolvedVmOptions {
  bundle: string;
  args: readonly string[];
  vmm: VmmName | undefined;
  accel: "auto" | Accelerator;
  cpus: number;
  /** MiB */
  memory: number;
  kernel: string | undefined;
  root: string | undefined;
  network: Network;
  volumes: readonly Volume[];
  env: readonly string[];
  workdir: string | undefined;
  /** Milliseconds. */
  timeout: number;
}

const DEFAULT_MEMORY = 256;
const DEFAULT_SECONDS = 120;
/** MiB; a kernel needs more, and says so. */
const MIN_MEMORY = 16;
const MAX_MEMORY = 4 * 1024 * 1024;

/**
 * Checks the options and fills in defaults.
 *
 * @throws E_OPTION_*, E_VM_VOLUME
 */
export function resolveVmOptions(options: VmOptions): ResolvedVmOptions {
  checkOptions("vm", options);
  const { args = [], accel = "auto", cpus = 1, env = [], volumes = [] } = options;
  const { timeout = DEFAULT_SECONDS } = options;
  return {
    bundle: options.bundle,
    args,
    vmm: options.vmm,
    accel,
    cpus,
    memory: parseMemory(options.memory),
    kernel: options.kernel,
    root: options.root,
    network: resolveNetwork(options),
    volumes: volumes.map(parseVolume),
    env,
    workdir: options.workdir,
    timeout: timeout * 1000,
  };
}

function parseMemory(text: string | undefined): number {
  if (text === undefined) return DEFAULT_MEMORY;
  const [, digits = "", unit = ""] = /^(\d{1,7})([MmGg]?)(?:i?[Bb])?$/.exec(text) ?? [];
  const size = Number(digits) * (unit.toLowerCase() === "g" ? 1024 : 1);
  if (digits !== "" && size >= MIN_MEMORY && size <= MAX_MEMORY) return size;
  const expected = `a size of at least ${MIN_MEMORY}M, as 512M or 2G`;
  throw errors.optionValue("memory", expected, `"${text}"`);
}
