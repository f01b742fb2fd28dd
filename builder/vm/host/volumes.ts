/** Folders of the host's in a machine: which, and by what they get there. */
import { realpathSync, statSync } from "node:fs";
import path from "node:path";
import * as errors from "../../errors.ts";
import { findVirtiofsd, type Virtiofsd, whyNotVirtiofsd } from "./virtiofsd.ts";

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
export type Carrier =
  | { type: "virtiofs"; virtiofsd: Virtiofsd }
  /** Why it is not virtiofs. */
  | { type: "9p"; reason: string };

/** The ways that are open to this process, the better first: virtiofs is faster, and 9p needs nothing. */
export async function carriersOf(volumes: readonly Volume[]): Promise<Carrier[]> {
  const virtiofsd = await findVirtiofsd();
  const reason = whyNotVirtiofsd(virtiofsd, volumes, process.getuid?.() === 0);
  if (virtiofsd === undefined || reason !== undefined) {
    return [{ type: "9p", reason: reason ?? "there is none" }];
  }
  const fallback = "the kernel has none";
  return [
    { type: "virtiofs", virtiofsd },
    { type: "9p", reason: fallback },
  ];
}
