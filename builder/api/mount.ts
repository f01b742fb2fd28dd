/** Mounts an image for the whole machine: asked of the runtime, which leaves a server or the kernel. */
import { realpathSync } from "node:fs";
import { checkOptions } from "../config/validate.ts";
import * as errors from "../errors.ts";
import { type hostMountTypes, machines, paths } from "../generated/spec.ts";
import { runCommand } from "../host/command.ts";
import { mountedAt } from "../host/mount-table.ts";
import { hostArchitecture, runtimePath } from "../host/paths.ts";

/** What is mounted where. */
export interface MountOptions {
  /** Bundle, other ELF with a squashfs image, squashfs image, zip file or base64 text. */
  file: string;
  /** An existing directory. */
  directory: string;
  /** As `bundle mount -o` takes them: "cache=64M", "noexec". */
  options?: readonly string[];
  /** Default: the first that works. */
  type?: (typeof hostMountTypes)[number];
  /** Resolve only when it is unmounted again; aborting `signal` unmounts it. */
  foreground?: boolean;
  /** Ends it: while it mounts, or what `foreground` waits for. */
  signal?: AbortSignal;
}

/**
 * Mounts an image for every program of the machine. Resolves when its files can be read; what
 * serves them goes on without this process, until `umount`.
 *
 * @throws E_OPTION_*, E_MOUNT_POINT, E_MOUNT_REFUSED, E_FUSE_OPTION, E_ARCHIVE_*, E_IMAGE_*
 *
 * @example
 * ```js
 * import { mkdirSync, readdirSync } from "node:fs";
 * import { build, mount, umount } from "fuselage-bundle";
 *
 * await build({ input: "hello", output: "hello.run" });
 * mkdirSync("files");
 * await mount({ file: "hello.run", directory: "files" });
 * console.log(readdirSync("files").join(" ")); // bin share
 * umount("files");
 * ```
 */
export async function mount(options: MountOptions): Promise<void> {
  checkOptions("mount", options, ["signal"]);
  const { file, directory, options: words = [], type, foreground = false, signal } = options;
  const args = [`--mount=${file}`];
  if (type !== undefined) args.push(`--mount-type=${type}`);
  if (words.length > 0) args.push(`--options=${words.join(",")}`);
  if (foreground) args.push("--foreground");
  const runtime = runtimePath(hostArchitecture() ?? machines[0].name);
  const { status, stderr } = await runCommand(runtime, [...args, "--", directory], {
    stdout: "ignore",
    signal,
    outlives: true,
  }).catch((cause: unknown) => {
    throw errors.fileUnreadable(runtime, cause);
  });
  if (status !== 0) throw errors.mountRefused(file, stderr, alreadyMounted(directory));
}

/** What to do where an earlier mount is in the way: a user's hides the directory from fusermount3, which is root's. */
function alreadyMounted(directory: string): string | undefined {
  try {
    const target = realpathSync.native(directory, "buffer").toString("latin1");
    if (mountedAt(target)?.type !== paths.fuseType) return undefined;
  } catch {
    return undefined;
  }
  return "An image is mounted there already: `bundle umount DIR` takes it away.";
}
