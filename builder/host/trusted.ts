/**
 * Paths that nobody but root and the user can change, by the rules of runtime/kernel/trusted_path.h.
 *
 * Node opens no file relative to another one, so this looks from the top down: what lies in a folder
 * that others cannot change stays what it was when it was looked at.
 */
import { lstatSync, readFileSync, readlinkSync, type Stats, statfsSync } from "node:fs";
import path from "node:path";

const MAX_LINKS = 40;
const OTHERS = 0o022;
const STICKY = 0o1000;
/** Whom a user namespace does not map. */
const NOBODY = 65534;
const FUSE_MAGIC = 0x65735546;

/** Whether no user here is 65534, as in a namespace that maps fewer than ten. */
function mapsNoNobody(): boolean {
  try {
    return /^ *\d+ +\d+ +\d\n$/.test(readFileSync("/proc/self/uid_map", "latin1"));
  } catch {
    return false;
  }
}

function isSafe(file: string, stats: Stats, parent: Stats, shared: boolean): boolean {
  const uid = process.getuid?.() ?? 0;
  const own = stats.uid === uid;
  const root = stats.uid === 0 || (stats.uid === NOBODY && !shared && mapsNoNobody());
  if (!own && !root) return false;
  if (stats.isSymbolicLink()) return true;
  const others = stats.mode & OTHERS;
  const group = own && others === 0o020 && uid !== 0 && stats.gid === process.getgid?.();
  if (others !== 0 && (stats.mode & STICKY) === 0 && !group) return false;
  const suspect = stats.dev !== parent.dev && (shared || uid === 0);
  return !suspect || statfsSync(file).type !== FUSE_MAGIC;
}

/** The folder that a path leads to, without links; undefined when others can change which that is. */
export function trustedFolder(dir: string): string | undefined {
  // As the kernel reads it: ".." leads out of what a link led to.
  const pending = (dir.startsWith("/") ? dir : `${process.cwd()}/${dir}`).split("/");
  let at = "/";
  let links = 0;
  try {
    for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
      if (name === "" || name === ".") continue;
      const file = path.join(at, name);
      const [stats, parent] = [lstatSync(file), lstatSync(at)];
      if (!isSafe(file, stats, parent, (parent.mode & OTHERS) !== 0)) return undefined;
      if (stats.isSymbolicLink()) {
        if (++links > MAX_LINKS) return undefined;
        const target = readlinkSync(file);
        pending.unshift(...target.split("/"));
        if (target.startsWith("/")) at = "/";
      } else if (stats.isDirectory()) at = file;
      else return undefined;
    }
    return at;
  } catch {
    return undefined; // Not there, or not to be looked at.
  }
}

/** The same for a folder of which all that is in it counts: others cannot add to it either. */
export function ownFolder(dir: string): string | undefined {
  const at = trustedFolder(dir);
  if (at === undefined) return undefined;
  const mode = lstatSync(at, { throwIfNoEntry: false })?.mode;
  if (mode === undefined) return undefined; // It was there a moment ago.
  return (mode & OTHERS) !== 0 && (mode & STICKY) !== 0 ? undefined : at;
}
