/** Folders of the host's in a machine: which, and by what they get there. */
import { realpathSync, statSync } from "node:fs";
import path from "node:path";
import * as errors from "../../errors.ts";
import { findVirtiofsd, usableVirtiofsd, type Virtiofsd } from "./virtiofsd.ts";

/** A folder that the guest gets. */
export interface Volume {
  /** Absolute, without links. */
  source: string;
  /** Absolute path in the guest. */
  target: string;
  readOnly: boolean;
}

const EXPECTED = "HOST:GUEST[:ro], GUEST an absolute path";

/**
 * `~/data:/data`, `./cache:/var/cache:ro`: what is behind the last colon before a slash is the guest's.
 *
 * @throws E_OPTION_VALUE, E_VM_VOLUME
 */
export function parseVolume(text: string): Volume {
  const [, given = "", target = "", mode] = /^(.+):(\/[^:]*)(?::(ro|rw))?$/s.exec(text) ?? [];
  const parts = target.split("/");
  if (given === "" || target === "/" || parts.includes("..") || target.includes("\n")) {
    throw errors.optionValue("volume", EXPECTED, `"${text}"`);
  }
  let source: string;
  try {
    source = realpathSync(given);
    if (!statSync(source).isDirectory()) throw errors.vmVolume(given, "it is not a folder");
  } catch (cause) {
    if (cause instanceof errors.BundleError) throw cause;
    throw errors.vmVolume(given, errors.systemReason(cause), { cause });
  }
  return { source, target: path.posix.normalize(target), readOnly: mode === "ro" };
}

/** How volumes get into a machine: by processes of virtiofsd's, or by QEMU itself. */
export type Carrier = { type: "virtiofs"; virtiofsd: Virtiofsd } | { type: "9p" };

/**
 * The ways that are open to this process, the better first: virtiofs is faster, and 9p needs nothing.
 *
 * @returns them, and why the first is not among them
 */
export async function carriersOf(
  volumes: readonly Volume[],
): Promise<{ carriers: Carrier[]; refused?: string }> {
  const found = await findVirtiofsd();
  const virtiofsd = usableVirtiofsd(found, volumes, process.getuid?.() === 0);
  if (typeof virtiofsd === "string") return { carriers: [{ type: "9p" }], refused: virtiofsd };
  return { carriers: [{ type: "virtiofs", virtiofsd }, { type: "9p" }] };
}
