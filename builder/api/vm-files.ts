/** Files that are the disks of a virtual machine. */
import path from "node:path";
import * as errors from "../errors.ts";
import { sha256OfHandle } from "../host/digest.ts";
import { hostArchitecture } from "../host/paths.ts";
import { statusOf } from "../host/status.ts";
import type { BundleNeeds } from "../vm/host/boot.ts";
import type { Disk, Disks } from "../vm/host/qemu-arguments.ts";
import { holdImage } from "./inspect.ts";

/** Machines whose QEMU is driven. */
const DRIVEN = "x86_64";

/** A bundle that is open for as long as a machine has it. */
export interface OpenBundle {
  disk: Disk;
  needs: BundleNeeds;
  /** Whether its image is a root directory. */
  isRoot: boolean;
  /** SHA-256 of what is open, hex digits. @throws E_FILE_UNREADABLE */
  digest(): Promise<string>;
}

/**
 * Opens a file, checks that it is a bundle for machines like this one, and hands it to `use`: what is looked at, hashed
 * and booted is one file, whatever has its name by then.
 *
 * @throws E_VM_BUNDLE, and what `inspect` throws
 */
export function withBundle<T>(file: string, use: (bundle: OpenBundle) => Promise<T>): Promise<T> {
  return holdImage(file, use, ({ manifest, arch, kind }, { facts }, handle) => {
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
    return {
      disk: { file: path.resolve(file), fd: handle.fd },
      needs: { compression: facts.compression, overlay: manifest.writable === true || isRoot },
      isRoot,
      digest: async () => (await sha256OfHandle(handle, file)).toString("hex"),
    };
  });
}

/** The image that is to be the root directory around an app, with its codec. */
function withRoot<T>(
  file: string,
  use: (found: { root: Disk; compression: string }) => Promise<T>,
): Promise<T> {
  if (statusOf(file)?.isDirectory()) {
    throw errors.vmBundle(file, "it is a folder, and the system around an app is an image", {
      expected: "what `bundle build FOLDER --kind image -o FILE` makes of it",
    });
  }
  return holdImage(file, use, ({ kind }, { facts: { compression } }, handle) => {
    if (kind === "bundle" || kind === "image") {
      return { root: { file: path.resolve(file), fd: handle.fd }, compression };
    }
    throw errors.vmBundle(file, "it is no root directory for an app", {
      expected: "a bundle or a squashfs image",
      actual: kind,
    });
  });
}

/**
 * Opens the disks that options name, and hands them to `use` with what they ask of a kernel.
 *
 * @throws E_VM_BUNDLE, and what `inspect` throws
 */
export function withDisks<T>(
  options: { bundle: string; root: string | undefined },
  use: (disks: Disks, needs: BundleNeeds) => Promise<T>,
): Promise<T> {
  return withBundle(options.bundle, async ({ disk: app, needs, isRoot }) => {
    if (options.root === undefined) return use({ app }, needs);
    if (isRoot) {
      const what = "its image is a root directory itself, and no other goes around it";
      throw errors.vmBundle(options.bundle, what);
    }
    return withRoot(options.root, ({ root, compression }) =>
      use({ app, root }, { ...needs, overlay: true, rootCompression: compression }),
    );
  });
}
