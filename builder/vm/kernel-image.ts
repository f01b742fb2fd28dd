/** Files of kernels: what they are, which release, and the ELF file inside one that unpacks itself. */
import { gunzipSync } from "node:zlib";
import { decoded, decodedLz4 } from "./decode.ts";

/** `bzImage`: of x86, unpacks itself; `elf`: vmlinux; `arm64`: Image. */
export type KernelFormat = "bzImage" | "elf" | "arm64";

export interface KernelImage {
  format: KernelFormat;
  /** `6.1.0-57-cloud-amd64`; undefined where the file does not say it. */
  release: string | undefined;
}

/** Documentation/arch/x86/boot.rst: fields of the setup header. */
const SETUP_SECTORS = 0x1f1;
const HEADER_MAGIC = 0x202;
const KERNEL_VERSION = 0x20e;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const SECTOR = 512;
/** Documentation/arch/arm64/booting.rst */
const ARM64_MAGIC = 0x38;

const ELF_MAGIC = "\x7fELF";

const isAt = (bytes: Buffer, at: number, text: string) =>
  bytes.toString("latin1", at, at + text.length) === text;

/** @returns undefined for what is no kernel */
export function readKernelImage(bytes: Buffer): KernelImage | undefined {
  if (bytes.length > 0x1000 && isAt(bytes, HEADER_MAGIC, "HdrS")) {
    const at = bytes.readUInt16LE(KERNEL_VERSION) + 0x200;
    const [release] = bytes.toString("latin1", at, at + 256).split(/[\s\0]/);
    return { format: "bzImage", release: release || undefined };
  }
  const format = isAt(bytes, 0, ELF_MAGIC) ? "elf" : isAt(bytes, ARM64_MAGIC, "ARMd") && "arm64";
  if (!format) return undefined;
  const banner = bytes.indexOf("Linux version ");
  const said = banner < 0 ? "" : bytes.toString("latin1", banner, banner + 256);
  return { format, release: /^Linux version (\S+) \(/.exec(said)?.[1] };
}

/** What each kind of compressed kernel starts with, and what it is decompressed by. */
const payloads: readonly { magic: readonly number[]; decode: (bytes: Buffer) => Buffer }[] = [
  { magic: [0x1f, 0x8b], decode: (bytes) => gunzipSync(bytes) },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], decode: (bytes) => decoded("zstd", withoutSize(bytes)) },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], decode: (bytes) => decoded("xz", withoutSize(bytes)) },
  { magic: [0x02, 0x21, 0x4c, 0x18], decode: (bytes) => decodedLz4(withoutSize(bytes)) },
];

/** The build of the kernel puts the size of what is compressed behind it, 4 bytes; gzip has it by itself. */
const withoutSize = (bytes: Buffer) => bytes.subarray(0, bytes.length - 4);

/**
 * The ELF file (vmlinux) in a bzImage.
 *
 * @throws Error that says what is wrong
 */
export function unpackKernel(bytes: Buffer): Buffer {
  const sectors = bytes[SETUP_SECTORS] || 4;
  const start = (sectors + 1) * SECTOR + bytes.readUInt32LE(PAYLOAD_OFFSET);
  const payload = bytes.subarray(start, start + bytes.readUInt32LE(PAYLOAD_LENGTH));
  const kind = payloads.find(({ magic }) => magic.every((byte, index) => payload[index] === byte));
  if (kind === undefined) {
    const found = payload.subarray(0, 6).toString("hex");
    throw new Error(`it is compressed in an unknown way (bytes ${found})`);
  }
  const made = kind.decode(payload);
  if (!isAt(made, 0, ELF_MAGIC)) throw new Error("what is compressed in it is no ELF file");
  return made;
}
