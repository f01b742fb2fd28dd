/**
 * Where the dynamic linker of a system looks when no search path of a program leads to a library.
 *
 * ld.so itself reads a cache that ldconfig makes of these folders. The folders are read here instead:
 * the cache prefers variants for this machine's processor, which another machine need not have, and
 * a --sysroot may have none.
 */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import type { Architecture } from "../host/paths.ts";
import { readRegularFile } from "../host/status.ts";

/** Files that include each other in a circle end here. */
const MAX_INCLUDES = 8;

/**
 * Folders of this machine, those of the sysroot with it in front, that exist.
 *
 * @param sysroot "" for this machine itself
 */
export function systemFolders(arch: Architecture, musl: boolean, sysroot: string): string[] {
  const folders = musl ? muslFolders(arch, sysroot) : glibcFolders(arch, sysroot);
  return [...new Set(folders.map((dir) => path.join(sysroot || "/", dir)))].filter(existsSync);
}

/** Folders of /etc/ld.so.conf in order, then those that are compiled in, of all distributions. */
function glibcFolders(arch: Architecture, sysroot: string): string[] {
  const triplet = `${arch}-linux-gnu`;
  return [
    ...configured("/etc/ld.so.conf", sysroot),
    `/lib/${triplet}`,
    `/usr/lib/${triplet}`,
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
  ];
}

function muslFolders(arch: Architecture, sysroot: string): string[] {
  const text = readText(path.join(sysroot || "/", `etc/ld-musl-${arch}.path`));
  if (text === undefined) return ["/lib", "/usr/local/lib", "/usr/lib"];
  return text.split(/[\n:]/).filter((dir) => dir.startsWith("/"));
}

function configured(file: string, sysroot: string, depth = 0): string[] {
  const text = readText(path.join(sysroot || "/", file));
  if (text === undefined || depth > MAX_INCLUDES) return [];
  const dirs: string[] = [];
  for (const line of text.split("\n")) {
    const [first = "", ...rest] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (first === "include") {
      for (const pattern of rest) {
        const full = path.resolve(path.dirname(file), pattern);
        for (const name of matching(full, sysroot))
          dirs.push(...configured(name, sysroot, depth + 1));
      }
    } else if (first.startsWith("/")) dirs.push(first);
  }
  return dirs;
}

/** Files that a pattern with `*` in its last component means, in order of their names. */
function matching(pattern: string, sysroot: string): string[] {
  const dir = path.dirname(pattern);
  const parts = path
    .basename(pattern)
    .split("*")
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const wanted = new RegExp(`^${parts.join("[^/]*")}$`);
  try {
    const names = readdirSync(path.join(sysroot || "/", dir)).sort();
    return names.filter((name) => wanted.test(name)).map((name) => path.join(dir, name));
  } catch {
    return []; // As ldconfig does with a pattern that nothing matches.
  }
}

function readText(file: string): string | undefined {
  try {
    return readRegularFile(file).toString("utf8");
  } catch {
    return undefined;
  }
}
