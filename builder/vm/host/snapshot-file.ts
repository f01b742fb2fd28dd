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
  /** As `processorOf` says it. */
  processor: string;
  /** As `hardwareOf` says it. */
  hardware: string[];
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
/** The state begins here. There is room for a path of any length, with each of its characters escaped. */
export const HEADER_BYTES = 32_768;

export function encodeHeader(header: SnapshotHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const text = `${MAGIC}${JSON.stringify(header)}\n`;
  if (bytes.write(text) < Buffer.byteLength(text)) {
    throw errors.internal(new Error("the header of a snapshot is longer than its page"));
  }
  return bytes;
}

const isText = (value: unknown) => typeof value === "string" && value !== "";
const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0;
const isOneOf = (words: readonly string[]) => (value: unknown) =>
  words.some((one) => one === value);

/** What stands in the file decides how QEMU is started. */
const SHAPE: Record<keyof SnapshotHeader, (value: unknown) => boolean> = {
  qemu: isText,
  accelerator: isOneOf(["kvm", "tcg"] satisfies Accelerator[]),
  processor: isText,
  hardware: (value) => Array.isArray(value) && value.every(isText),
  cpus: isCount,
  memory: isCount,
  network: isOneOf(["none", "user", "tap"] satisfies Network["kind"][]),
  digest: isText,
  bundle: isText,
  bytes: isCount,
  bootMilliseconds: isCount,
};

const keysOf = (value: object) => Object.keys(value).sort().join(" ");

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
  let found: unknown;
  try {
    found = JSON.parse(text.slice(MAGIC.length, text.indexOf("\n", MAGIC.length)));
  } catch (cause) {
    throw errors.vmSnapshot(file, "its header cannot be read", { expected, cause });
  }
  if (typeof found !== "object" || found === null || keysOf(found) !== keysOf(SHAPE)) {
    throw errors.vmSnapshot(file, "another version of this command made it", { expected });
  }
  const header = found as SnapshotHeader;
  const wrong = Object.entries(SHAPE).find(([key, isRight]) => {
    return !isRight(header[key as keyof SnapshotHeader]);
  });
  if (wrong !== undefined) {
    throw errors.vmSnapshot(file, `its header has a ${wrong[0]} that is none`, { expected });
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
  here: Pick<SnapshotHeader, "qemu" | "digest" | "processor" | "hardware">,
): void {
  const words = { digest: "bundle's SHA-256", qemu: "QEMU", processor: "processor" } as const;
  for (const key of ["digest", "qemu", "processor"] as const) {
    if (header[key] === here[key]) continue;
    throw errors.vmSnapshot(file, `it was made with another ${words[key]}`, {
      expected: header[key],
      actual: here[key],
    });
  }
  if (header.hardware.join("\n") === here.hardware.join("\n")) return;
  const without = (all: readonly string[], some: readonly string[]) =>
    all.filter((one) => !some.includes(one)).join(", ") || "the rest in another order";
  throw errors.vmSnapshot(file, "it was made of another machine than this command makes", {
    expected: without(header.hardware, here.hardware),
    actual: without(here.hardware, header.hardware),
  });
}
