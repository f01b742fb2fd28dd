/**
 * The file of a snapshot: a page that says what it is of, and behind it the state as QEMU writes it. It has all that
 * was in the machine's memory, secrets too.
 */
import type { FileHandle } from "node:fs/promises";
import * as errors from "../../errors.ts";
import type { Accelerator } from "./accelerator.ts";
import type { Network } from "./network.ts";

/** What has to be the same where the snapshot is restored. */
export interface SnapshotHeader {
  /** Of QEMU. */
  qemu: string;
  accelerator: Accelerator;
  cpus: number;
  /** MiB */
  memory: number;
  /** Kind of the network; which ports lead in may differ. */
  network: Network["kind"];
  /** The bundle: SHA-256, and where it was. */
  digest: string;
  bundle: string;
  /** Bytes of the state. */
  bytes: number;
  /** Milliseconds that the start took which a restore takes the place of, as far as the snapshot. */
  bootMilliseconds: number;
}

const MAGIC = "fuselage-vm-snapshot 1\n";
/** The state begins here. */
export const HEADER_BYTES = 4096;

export function encodeHeader(header: SnapshotHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const text = `${MAGIC}${JSON.stringify(header)}\n`;
  if (bytes.write(text) < Buffer.byteLength(text)) {
    throw errors.internal(new Error("the header of a snapshot is longer than its page"));
  }
  return bytes;
}

const KEYS = "accelerator bootMilliseconds bundle bytes cpus digest memory network qemu";

/**
 * Reads the page at the front.
 *
 * @throws E_VM_SNAPSHOT
 */
export async function readHeader(handle: FileHandle, file: string): Promise<SnapshotHeader> {
  const page = Buffer.alloc(HEADER_BYTES);
  const { bytesRead } = await handle.read(page, 0, HEADER_BYTES, 0);
  const text = page.subarray(0, bytesRead).toString("utf8");
  const expected = "a file of `bundle vm snapshot`";
  if (!text.startsWith(MAGIC)) throw errors.vmSnapshot(file, "this is no snapshot", { expected });
  let header: SnapshotHeader;
  try {
    header = JSON.parse(text.slice(MAGIC.length, text.indexOf("\n", MAGIC.length)));
  } catch (cause) {
    throw errors.vmSnapshot(file, "its header cannot be read", { expected, cause });
  }
  if (Object.keys(header).sort().join(" ") !== KEYS) {
    throw errors.vmSnapshot(file, "its header is of another version", { expected });
  }
  const { size } = await handle.stat();
  if (size !== HEADER_BYTES + header.bytes) {
    throw errors.vmSnapshot(file, "it is not whole", {
      expected: `${HEADER_BYTES + header.bytes} bytes`,
      actual: `${size}`,
    });
  }
  return header;
}

/**
 * Refuses to restore where something differs that the state depends on.
 *
 * @param here the same of this start @throws E_VM_SNAPSHOT
 */
export function requireSame(
  file: string,
  header: SnapshotHeader,
  here: Pick<SnapshotHeader, "qemu" | "digest">,
): void {
  const words = { qemu: "QEMU", digest: "the bundle's SHA-256" } as const;
  for (const key of ["digest", "qemu"] as const) {
    if (header[key] === here[key]) continue;
    throw errors.vmSnapshot(file, `it was made with another ${words[key].replace(/^the /, "")}`, {
      expected: header[key],
      actual: here[key],
    });
  }
}
