/** For which machine the programs of an AppDir are. */
import { open } from "node:fs/promises";
import { machineIn, machineOfNode, programMachines } from "../app/program-machines.ts";
import { MACHINE_HEAD } from "../elf/read.ts";
import * as errors from "../errors.ts";
import type { Architecture } from "../host/paths.ts";
import type { Tree } from "../tree/tree.ts";
import { type Warning, warning } from "../warnings.ts";
import { findFile } from "./appdir-files.ts";

/**
 * Checks the program that starts, a file of the host.
 *
 * @param shown its name for messages
 * @throws E_APPRUN_ARCH
 */
export async function checkAppRun(file: string, shown: string, arch: Architecture): Promise<void> {
  const handle = await open(file).catch((cause: unknown) => {
    throw errors.fileUnreadable(shown, cause);
  });
  try {
    const head = Buffer.alloc(MACHINE_HEAD);
    const { bytesRead } = await handle
      .read(head, 0, MACHINE_HEAD, 0)
      .catch(errors.readingFailed(shown));
    const machine = bytesRead === MACHINE_HEAD ? machineIn(head) : undefined;
    if (machine !== undefined && machine !== arch) throw errors.appRunArch(shown, arch, machine);
  } finally {
    await handle.close();
  }
}

/**
 * Checks that what starts is for the machine of the AppImage, and what else is there too.
 *
 * @param start paths of AppRun and of the program that it starts, byte strings
 * @returns warnings: programs for other machines beside those for the right one
 * @throws E_APPRUN_ARCH, E_APPDIR_ARCH when there are only programs for other machines
 */
export async function checkMachines(
  tree: Tree,
  start: readonly string[],
  arch: Architecture,
): Promise<Warning[]> {
  for (const path of start) {
    const file = findFile(tree, path);
    const machine = file && (await machineOfNode(file.node));
    if (machine !== undefined && machine !== arch) {
      throw errors.appRunArch(file?.shown ?? path, arch, machine);
    }
  }
  const { right, foreign } = await programMachines(tree, arch);
  const [first] = foreign;
  if (first === undefined) return [];
  const { shown, machine } = first;
  if (right === 0) throw errors.appDirArch(shown, arch, machine);
  const more = foreign.length > 1 ? ` and ${foreign.length - 1} more` : "";
  const message = `${shown} is for ${machine}${more}, the AppImage for ${arch}`;
  return [warning("W_APPDIR_PROGRAM", message)];
}
