/** Unmounts what `mount` mounted, and nothing else. */
import { readFileSync, realpathSync } from "node:fs";
import { checkOptions } from "../config/validate.ts";
import * as errors from "../errors.ts";
import { paths } from "../generated/spec.ts";
import { runCommandSync } from "../host/command.ts";
import { type Mounted, mountedAt } from "../host/mount-table.ts";
import { addon, errnoError } from "../native/addon.ts";
import { displayPath } from "../tree/path.ts";

/** How a mount is ended. */
export interface UmountOptions {
  /** Also when files of it are in use: it goes when the last one is closed. */
  lazy?: boolean;
}

/** How the runtime labels its loop devices: LOOP_LABEL of runtime/kernel/loop.h. */
const LOOP_LABEL = "fuselage";
const CAP_SYS_ADMIN = 21n;
const EBUSY = 16;

function mayUnmount(): boolean {
  const [, hex = "0"] =
    /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return ((BigInt(`0x${hex}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

/** Others mount squashfs too; only who may unmount it can see whose the device is. */
function isOurs({ type, source }: Mounted, privileged: boolean): boolean {
  if (type === paths.fuseType) return true;
  return type === "squashfs" && (!privileged || addon().loopLabel(source) === LOOP_LABEL);
}

/**
 * Unmounts what `mount` mounted at `directory`, and nothing else.
 *
 * @throws E_OPTION_*, E_UMOUNT when nothing of ours is there or it is another user's, E_UMOUNT_BUSY
 *
 * @example
 * ```js
 * import { umount } from "fuselage-bundle";
 *
 * try {
 *   umount("hello");
 * } catch (error) {
 *   console.log(error.code, error.message); // E_UMOUNT hello: nothing is mounted there
 * }
 * ```
 */
export function umount(directory: string, options: UmountOptions = {}): void {
  checkOptions("umount", { directory, ...options });
  const { lazy = false } = options;
  const target = resolve(directory);
  const mounted = mountedAt(target);
  if (mounted === undefined) throw nothingAt(directory);
  const privileged = mayUnmount();
  if (!isOurs(mounted, privileged)) {
    const actual = `${mounted.type} from ${displayPath(mounted.source)}`;
    throw errors.umount(directory, "cannot be unmounted", {
      expected: "a mount made by `bundle mount`",
      actual,
    });
  }
  if (privileged) {
    const error = addon().unmount(target, lazy);
    if (error === 0) return;
    requireMounted(directory, target);
    if (error === EBUSY) throw errors.umountBusy(directory);
    throw errors.umount(directory, errors.systemReason(errnoError(error)));
  }
  const user = process.getuid?.();
  if (mounted.userId !== user) {
    throw errors.umount(directory, "cannot be unmounted", {
      expected: `a mount of user ${user}`,
      actual: `one of user ${mounted.userId ?? 0}`,
    });
  }
  unmountByHelper(directory, target, lazy);
}

const nothingAt = (directory: string) => errors.umount(directory, "nothing is mounted there");

/** Somebody else may have unmounted it between a look and the try: what the system says of that is no help. */
function requireMounted(directory: string, target: string): void {
  if (mountedAt(target) === undefined) throw nothingAt(directory);
}

function resolve(directory: string): string {
  try {
    return realpathSync.native(directory, "buffer").toString("latin1");
  } catch (cause) {
    throw errors.umount(directory, errors.systemReason(cause), { cause });
  }
}

/** fusermount is what libfuse 2 called it. */
function unmountByHelper(directory: string, target: string, lazy: boolean): void {
  const args = [lazy ? "-uz" : "-u", "--", directory];
  for (const helper of ["fusermount3", "fusermount"]) {
    const result = answerOf(directory, helper, args);
    if (result === undefined) continue;
    const { status, stderr } = result;
    if (status === 0) return;
    requireMounted(directory, target);
    if (/busy/i.test(stderr)) throw errors.umountBusy(directory);
    throw errors.umount(directory, `${helper}: ${stderr.trim().split("\n")[0]}`);
  }
  throw errors.umount(directory, "fusermount3 is not installed (package fuse3)");
}

/** @returns undefined when the helper is not installed */
function answerOf(directory: string, helper: string, args: readonly string[]) {
  try {
    return runCommandSync(helper, args);
  } catch (cause) {
    if (errors.errnoCode(cause) === "ENOENT") return undefined;
    throw errors.umount(directory, `${helper}: ${errors.systemReason(cause)}`, { cause });
  }
}
