/** Files of a sysroot, whose absolute links lead to places of it and not of this machine. */
import { lstatSync, readlinkSync, statSync } from "node:fs";
import path from "node:path";

/** As many links as the kernel follows. */
const MAX_LINKS = 40;

/**
 * The file that a path means on a machine, without links in it.
 *
 * @param sysroot folder that is the machine's root; "": this machine
 * @param file absolute path there
 * @returns where it is here; undefined where there is no such file
 */
export function fileOf(sysroot: string, file: string): string | undefined {
  const root = path.resolve(sysroot || "/");
  const pending = file.split("/");
  let found = root;
  let links = 0;
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (found !== root) found = path.dirname(found);
      continue;
    }
    const next = path.join(found, name);
    const stats = lstatSync(next, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (!stats.isSymbolicLink()) {
      found = next;
      continue;
    }
    if (++links > MAX_LINKS) return undefined;
    const target = readlinkSync(next);
    if (target.startsWith("/")) found = root;
    pending.unshift(...target.split("/"));
  }
  return found;
}

/**
 * A path of this machine, with links of the sysroot followed as they are meant there: what lies in it stays
 * in it. Undefined where there is no such file; what is not below the sysroot is as it was.
 */
export function withinSysroot(sysroot: string, file: string): string | undefined {
  if (sysroot === "") return file;
  const inside = path.relative(path.resolve(sysroot), file);
  return /^\.\.(\/|$)/.test(inside) ? file : fileOf(sysroot, inside);
}

/** The first of some paths that is a file, or a folder where that is asked for. */
export function firstOf(
  sysroot: string,
  files: readonly string[],
  kind: "file" | "folder" = "file",
): string | undefined {
  for (const file of files) {
    const found = fileOf(sysroot, file);
    const stats = found === undefined ? undefined : statSync(found, { throwIfNoEntry: false });
    if (kind === "file" ? stats?.isFile() : stats?.isDirectory()) return found;
  }
  return undefined;
}
