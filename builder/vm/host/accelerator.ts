/** Whether the processor of a virtual machine is this machine's (KVM) or is emulated. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync } from "node:fs";
import * as errors from "../../errors.ts";

/** QEMU's names of them. */
export type Accelerator = "kvm" | "tcg";

const DEVICE = "/dev/kvm";

/**
 * Why KVM cannot be used here, in words; undefined where nothing speaks against it.
 *
 * A device alone says little: there are hosts whose /dev/kvm runs only kernels made for it, and whose processor
 * shows no virtualization to the systems on it.
 *
 * @param device @param cpuinfo for tests
 * @internal
 */
export function whyNoKvm(device = DEVICE, cpuinfo = "/proc/cpuinfo"): string | undefined {
  try {
    closeSync(openSync(device, "r+"));
  } catch (cause) {
    if (errors.errnoCode(cause) === "ENOENT") return `there is no ${device}`;
    return `${device} may not be opened: ${errors.systemReason(cause)}`;
  }
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync(cpuinfo, "latin1"))?.[1]?.split(" ");
  // Other machines than x86 have no such line.
  if (flags === undefined || flags.includes("vmx") || flags.includes("svm")) return undefined;
  return "the processor shows no virtualization (vmx or svm in /proc/cpuinfo)";
}

/**
 * What the processor of a machine is: the same words mean the same instructions.
 *
 * @param device @param cpuinfo for tests
 */
export function processorOf(
  accelerator: Accelerator,
  device = DEVICE,
  cpuinfo = "/proc/cpuinfo",
): string {
  // QEMU's version says it.
  if (accelerator === "tcg") return "emulated";
  const reason = whyNoKvm(device, cpuinfo);
  if (reason !== undefined) return `none by KVM: ${reason}`;
  const text = readFileSync(cpuinfo, "latin1");
  const field = (name: string) => new RegExp(`^${name}\\s*: *(.*)$`, "m").exec(text)?.[1] ?? "";
  const flags = createHash("sha256").update(field("flags")).digest("hex").slice(0, 16);
  return `${field("model name")}, flags ${flags}`;
}

/** Ways to run the processor, in the order in which they are tried. */
export interface Acceleration {
  tried: readonly Accelerator[];
  /** Why KVM is not among them although nobody refused it. */
  reason: string | undefined;
}

/**
 * What `wanted` comes to on this machine.
 *
 * @throws E_VM_KVM
 */
export function chooseAcceleration(wanted: "auto" | Accelerator): Acceleration {
  if (wanted === "tcg") return { tried: ["tcg"], reason: undefined };
  const reason = whyNoKvm();
  if (wanted === "kvm") {
    if (reason !== undefined) throw errors.vmKvm(reason);
    return { tried: ["kvm"], reason: undefined };
  }
  return reason === undefined
    ? { tried: ["kvm", "tcg"], reason: undefined }
    : { tried: ["tcg"], reason };
}
