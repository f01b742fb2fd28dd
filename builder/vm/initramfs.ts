/** The initramfs of a virtual machine: process 1, modules of its kernel, and what it is to do. */
import { readFile } from "node:fs/promises";
import { compressedWhole, type Effort, type StreamCodec } from "../archive/compressed-stream.ts";
import * as errors from "../errors.ts";
import { guestProtocol } from "../generated/spec.ts";
import { type Architecture, guestPath } from "../host/paths.ts";
import { cpioArchive, FILE, FOLDER } from "./cpio.ts";

/** A module of the kernel, as it is loaded. */
export interface KernelModule {
  /** `virtio_blk` */
  name: string;
  bytes: Uint8Array;
}

export interface InitramfsRequest {
  arch: Architecture;
  /** In the order in which they are loaded. */
  modules: readonly KernelModule[];
  /** What the kernel can decompress. */
  compression: StreamCodec;
  effort: Effort;
}

/** Inode of the run file: behind all of the other archive. */
const RUN_INODE = 1 << 20;

/**
 * The part that is the same for every run of a kernel. The same program, modules and compression give the
 * same bytes on every machine.
 *
 * @returns a multiple of 4 bytes, so that the run file may follow
 * @throws E_RUNTIME_MISSING
 */
export async function initramfs(request: InitramfsRequest): Promise<Buffer> {
  const { arch, modules, compression, effort } = request;
  const { modulesFolder, modulesList } = guestProtocol;
  const file = (name: string) => `${name}.ko`;
  const list = modules.map(({ name }) => `${file(name)}\n`).join("");
  const archive = cpioArchive([
    { name: "init", mode: FILE | 0o755, data: await readFile(guestPath(arch)) },
    { name: modulesFolder, mode: FOLDER | 0o700 },
    ...modules.map(({ name, bytes }) => ({
      name: `${modulesFolder}/${file(name)}`,
      mode: FILE | 0o600,
      data: bytes,
    })),
    { name: modulesList, mode: FILE | 0o600, data: Buffer.from(list) },
  ]);
  // The kernel expects the end of an archive at the end of each frame.
  const bytes = await compressedWhole(archive, compression, effort);
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

/** A record of the run file: docs/vm-protocol.md. */
export type RunRecord = readonly [name: (typeof guestProtocol.records)[number], value: string];

/**
 * The part that says what one run is to do; it is put behind `initramfs`.
 *
 * @param records without `version`, which is put before them
 */
export function runArchive(records: readonly RunRecord[]): Buffer {
  const all: RunRecord[] = [["version", String(guestProtocol.version)], ...records];
  const texts = all.map(([name, value]) => {
    if (value.includes("\0")) throw errors.internal(new Error(`run file: ${name} has a NUL byte`));
    return `${name}=${value}\0`;
  });
  const data = Buffer.from(texts.join(""));
  return cpioArchive([{ name: guestProtocol.runFile, mode: FILE | 0o600, data }], RUN_INODE);
}
