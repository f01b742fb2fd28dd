/** A kernel as QEMU starts it soonest: its ELF file, entered by PVH, which a bzImage unpacks at every start. */
import { utimesSync, writeFileSync } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import path from "node:path";
import { errnoCode, fileUnreadable } from "../../errors.ts";
import { isUsable, reap } from "../../host/bounded-folder.ts";
import { cacheFolder } from "../../host/cache-folders.ts";
import { keepTemporary, removeTemporary, temporaryFile } from "../../host/temporary.ts";
import type { Kernel } from "../kernel.ts";
import { unpackKernel } from "../kernel-image.ts";

/** Bytes that all unpacked kernels may have together where the disk has far more: a few of them. */
const MAX_BYTES = 512 * 1024 * 1024;

/** XEN_ELFNOTE_PHYS32_ENTRY of the kernel's include/xen/interface/elfnote.h, where PVH enters. */
const PVH_NOTE = Buffer.from([4, 0, 0, 0, 4, 0, 0, 0, 18, 0, 0, 0, 0x58, 0x65, 0x6e, 0]);
const PVH_NOTE_LONG = Buffer.from([4, 0, 0, 0, 8, 0, 0, 0, 18, 0, 0, 0, 0x58, 0x65, 0x6e, 0]);

const hasPvhEntry = (elf: Buffer) => elf.includes(PVH_NOTE) || elf.includes(PVH_NOTE_LONG);

/** What was used last goes last. @returns false where it is not there, or not any more */
function isUsed(kept: string): boolean {
  const now = new Date();
  try {
    utimesSync(kept, now, now);
    return true;
  } catch (cause) {
    return errnoCode(cause) !== "ENOENT";
  }
}

/**
 * The file to start: of a bzImage the ELF file in it, kept in the user's cache by its digest. One that has no PVH
 * entry, or cannot be unpacked or kept, is started as it is.
 */
async function startableKernel(kernel: Kernel): Promise<string> {
  if (kernel.format !== "bzImage") return kernel.file;
  const folder = cacheFolder("kernels");
  if (!isUsable(folder)) return kernel.file;
  const kept = path.join(folder, kernel.digest);
  if (isUsed(kept)) return kept;
  let temporary: string | undefined;
  try {
    const elf = unpackKernel(kernel.bytes);
    if (!hasPvhEntry(elf)) return kernel.file;
    temporary = temporaryFile(folder);
    writeFileSync(temporary, elf, { flag: "wx", mode: 0o600 });
    await rename(temporary, kept);
    keepTemporary(temporary);
    reap(folder, MAX_BYTES);
    return kept;
  } catch {
    if (temporary !== undefined) removeTemporary(temporary);
    return kernel.file;
  }
}

/**
 * The file to start, open: whoever clears the cache, or makes room in it, takes nothing from a machine that is being made.
 *
 * @throws E_FILE_UNREADABLE
 */
export async function openKernel(kernel: Kernel): Promise<FileHandle> {
  const file = await startableKernel(kernel);
  return await open(file)
    .catch(() => open(kernel.file))
    .catch((cause: unknown) => {
      throw fileUnreadable(kernel.file, cause);
    });
}
