/** For which machine the programs of an AppDir are. */
import { open } from "node:fs/promises";
import { hasElfMagic, MACHINE_HEAD, machineName, machineOf } from "../elf/read.ts";
import * as errors from "../errors.ts";
import type { Architecture } from "../host/paths.ts";
import { LIBRARY_NAME } from "../libraries/elf-objects.ts";
import { contentSize } from "../tree/node.ts";
import type { Tree } from "../tree/tree.ts";
import { type Warning, warning } from "../warnings.ts";
import { findFile, readHead, type TreeFile } from "./appdir-files.ts";

/** Machine of an ELF file as `uname -m` says it; undefined for other files. */
async function machineOfFile(file: TreeFile): Promise<string | undefined> {
  if (contentSize(file.node.contents) < MACHINE_HEAD) return undefined;
  return machineIn(await readHead(file, MACHINE_HEAD));
}

function machineIn(head: Buffer): string | undefined {
  if (!hasElfMagic(head)) return undefined;
  const machine = machineOf(head);
  return machine === undefined ? "a big-endian machine" : machineName(machine);
}

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
    const { bytesRead } = await handle.read(head, 0, MACHINE_HEAD, 0);
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
    const machine = file && (await machineOfFile(file));
    if (machine !== undefined && machine !== arch) {
      throw errors.appRunArch(file?.shown ?? path, arch, machine);
    }
  }
  let right = 0;
  const wrong: { file: TreeFile; machine: string }[] = [];
  for (const { path, node } of tree.walk()) {
    if (node.kind !== "file") continue;
    if ((node.mode & 0o111) === 0 && !LIBRARY_NAME.test(path)) continue;
    const file = findFile(tree, path);
    const machine = file && (await machineOfFile(file));
    if (file === undefined || machine === undefined) continue;
    if (machine === arch) right++;
    else wrong.push({ file, machine });
  }
  const [first] = wrong;
  if (first === undefined) return [];
  const { file, machine } = first;
  if (right === 0) throw errors.appDirArch(file.shown, arch, machine);
  const more = wrong.length > 1 ? ` and ${wrong.length - 1} more` : "";
  const message = `${file.shown} is for ${machine}${more}, the AppImage for ${arch}`;
  return [warning("W_APPDIR_PROGRAM", message)];
}
