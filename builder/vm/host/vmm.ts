/** Virtual machine monitors: which are installed, and which can be driven. */
import { accessSync, constants } from "node:fs";
import path from "node:path";
import * as errors from "../../errors.ts";
import { runTool } from "../../host/command.ts";

/** A monitor that `--vmm` names, with its program. */
const programs = {
  qemu: "qemu-system-x86_64",
  firecracker: "firecracker",
  "cloud-hypervisor": "cloud-hypervisor",
} as const;

export type VmmName = keyof typeof programs;

/** Where a program stands, by PATH and then by places that are not in it. */
export function findProgram(
  name: string,
  places: readonly string[] = [],
  searched = process.env["PATH"] ?? "",
): string | undefined {
  const files = [
    ...searched
      .split(path.delimiter)
      .filter(path.isAbsolute)
      .map((dir) => path.join(dir, name)),
    ...places,
  ];
  return files.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * QEMU's program, the one monitor that is driven. The others were never started by us, and what was not started is
 * not called working.
 *
 * @throws E_VM_VMM
 */
export function findQemu(wanted: VmmName | undefined): string {
  if (wanted === undefined || wanted === "qemu") {
    const found = findProgram(programs.qemu);
    if (found !== undefined) return found;
    throw errors.vmMissing(programs.qemu);
  }
  throw errors.vmUndriven(wanted);
}

/** QEMU's version, as its monitor says it. @throws E_VM_VMM */
export async function versionOf(qemu: string): Promise<string> {
  const said = await runTool(qemu, ["--version"]);
  const version = /version (\d+\.\d+\.\d+)/.exec(said?.stdout ?? "")?.[1];
  if (version === undefined) throw errors.vmMissing(qemu);
  return version;
}
