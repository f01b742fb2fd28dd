/** Files that are the disks of a virtual machine. */
import { statSync } from "node:fs";
import path from "node:path";
import * as errors from "../errors.ts";
import { hostArchitecture } from "../host/paths.ts";
import type { BundleNeeds } from "../vm/host/boot.ts";
import type { Disks } from "../vm/host/qemu-arguments.ts";
import { withImage } from "./inspect.ts";

/** Machines whose QEMU is driven. */
const DRIVEN = "x86_64";

/**
 * Checks that a file is a bundle for machines like this one.
 *
 * @returns its absolute path, and what it asks of a kernel
 * @throws E_VM_BUNDLE, and what `inspect` throws
 */
export function requireBundle(
  file: string,
): Promise<{ bundle: string; needs: BundleNeeds; isRoot: boolean }> {
  return withImage(file, ({ manifest, arch, kind }, { facts }) => {
    if (manifest === undefined) {
      throw errors.vmBundle(file, "this is no bundle of fuselage-bundle", { actual: kind });
    }
    if (arch !== DRIVEN || hostArchitecture() !== DRIVEN) {
      const here = hostArchitecture() === DRIVEN ? "" : ` on ${DRIVEN}; this is another machine`;
      throw errors.vmBundle(file, "it is for another machine than can be made", {
        expected: `a bundle for ${DRIVEN}${here}`,
        actual: arch ?? "none",
      });
    }
    const isRoot = manifest.root !== undefined;
    const needs = { compression: facts.compression, overlay: manifest.writable === true || isRoot };
    return { bundle: path.resolve(file), needs, isRoot };
  });
}

/** The image that is to be the root directory around an app: its absolute path and its codec. */
function requireRoot(file: string): Promise<{ root: string; compression: string }> {
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) {
    throw errors.vmBundle(file, "it is a folder, and the system around an app is an image", {
      expected: "what `bundle build FOLDER --kind image -o FILE` makes of it",
    });
  }
  return withImage(file, ({ kind }, { facts: { compression } }) => {
    if (kind === "bundle" || kind === "image") return { root: path.resolve(file), compression };
    throw errors.vmBundle(file, "it is no root directory for an app", {
      expected: "a bundle or a squashfs image",
      actual: kind,
    });
  });
}

/**
 * The disks that options name, and what they ask of a kernel.
 *
 * @throws E_VM_BUNDLE, and what `inspect` throws
 */
export async function requireDisks(options: {
  bundle: string;
  root: string | undefined;
}): Promise<{ disks: Disks; needs: BundleNeeds }> {
  const { bundle, needs, isRoot } = await requireBundle(options.bundle);
  if (options.root === undefined) return { disks: { app: bundle }, needs };
  if (isRoot) {
    const what = "its image is a root directory itself, and no other goes around it";
    throw errors.vmBundle(options.bundle, what);
  }
  const { root, compression } = await requireRoot(options.root);
  return {
    disks: { app: bundle, root },
    needs: { ...needs, overlay: true, rootCompression: compression },
  };
}
