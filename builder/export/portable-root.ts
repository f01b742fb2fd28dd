/** The root file system of a portable service: what systemd mounts on, its units, os-release. */
import path from "node:path";
import type { DumpEntry } from "../dump/dump-entry.ts";
import { followPath } from "../dump/follow-path.ts";
import * as errors from "../errors.ts";
import { byteString, displayPath } from "../tree/path.ts";
import { folder, plainFile, symbolicLink } from "./root-files.ts";

/** What goes into the image beside its own files. */
export interface PortableFiles {
  /** Of the service: what stands before the dot of its units. */
  name: string;
  /** Units by their names. */
  units: readonly { name: string; text: string }[];
  /** os-release(5), for an image that has none. */
  release: string;
  /** Absolute paths of folders that something is mounted on. */
  folders: readonly string[];
  /** Of paths of the machine's, as `mountPoints` gives them. */
  points: ReadonlyMap<string, string>;
  /** Of what is added, seconds since 1970. */
  mtime: number;
}

/** What the service's own view of the machine is mounted on. */
const FOLDERS = ["dev", "etc", "home", "proc", "root", "run", "sys", "usr/lib", "var/lib"];
const SHARED = ["tmp", "var/tmp"];
/** Files of the machine that are mounted there; a link would lead to a place that the image has not. */
const FILES = ["etc/machine-id", "etc/resolv.conf"];
/** Where a service has something of its own, in which systemd makes what it mounts on. */
const PRIVATE = ["home", "root", "run", "tmp", "var/tmp"];
const RELEASES = ["etc/os-release", "usr/lib/os-release"];
/** Where systemd looks for units first, and where else. */
const UNITS = "etc/systemd/system";
const UNIT_FOLDERS = [UNITS, "usr/local/lib/systemd/system", "usr/lib/systemd/system"];

/** In the image an empty folder, and in the service a file system in which systemd makes files and folders to mount on. */
export const MACHINE = "/.machine";

const isAt = (file: string, dir: string) => file === dir || file.startsWith(`${dir}/`);
const withoutSlashes = (text: string) => byteString(text.replace(/^\/+|\/+$/g, ""));

/**
 * Where each path of the machine's is mounted. Nobody knows yet whether there is a file, a folder or nothing, so where
 * the image has nothing a link is put into it that leads to what systemd makes of the machine's kind.
 *
 * @param entries of the image
 * @param folders absolute paths that something else is mounted on
 * @param paths absolute, and normal
 */
export function mountPoints(
  entries: readonly DumpEntry[],
  folders: readonly string[],
  paths: readonly string[],
): Map<string, string> {
  const made = new Map(entries.map((entry) => [entry.path, entry]));
  const real = (file: string): string =>
    followPath(made, file)?.path ??
    [real(path.posix.dirname(file)), path.posix.basename(file)].filter((one) => one).join("/");
  const others = folders.map(withoutSlashes);
  const own: string[] = [];
  const points = new Map<string, string>();
  for (const wanted of [...paths].sort()) {
    const file = withoutSlashes(wanted);
    const isThere =
      followPath(made, file) !== undefined ||
      [...FOLDERS, ...SHARED].some((one) => isAt(one, file)) ||
      others.some((one) => isAt(one, file) || isAt(file, one)) ||
      PRIVATE.some((one) => isAt(real(file), one)) ||
      own.some((one) => isAt(file, one));
    if (isThere) own.push(file);
    points.set(wanted, isThere ? wanted : `${MACHINE}${wanted}`);
  }
  return points;
}

/**
 * The entries with what is missing. Units of the image's own that would be attached with the service are left out.
 *
 * @param entries of a root file system, each folder before what is in it
 * @throws E_ENGINE_INPUT where something else stands in the place of a folder
 */
export function portableEntries(
  entries: readonly DumpEntry[],
  { name, units, release, folders, points, mtime }: PortableFiles,
): DumpEntry[] {
  const made = new Map(entries.map((entry) => [entry.path, entry]));
  const addFolder = (wanted: string, mode: number): string => {
    const there = followPath(made, wanted);
    if (there?.kind === "directory") return there.path;
    if (there !== undefined || made.has(wanted)) {
      const what = "is no folder in the image, and systemd has to mount on it";
      throw errors.engineInput(`/${displayPath(wanted)}`, what);
    }
    const parent = wanted.includes("/") ? addFolder(path.posix.dirname(wanted), 0o755) : "";
    const at = [parent, path.posix.basename(wanted)].filter((part) => part !== "").join("/");
    made.set(at, folder(at, mode, mtime));
    return at;
  };
  const addFile = (wanted: string, text: string): void => {
    const parent = addFolder(path.posix.dirname(wanted), 0o755);
    const at = `${parent}/${path.posix.basename(wanted)}`;
    made.set(at, plainFile(at, text, 0o644, mtime));
  };
  for (const wanted of FOLDERS) addFolder(wanted, 0o755);
  for (const wanted of SHARED) addFolder(wanted, 0o1777);
  for (const wanted of folders) addFolder(withoutSlashes(wanted), 0o755);
  const linked = [...points].filter(([wanted, point]) => point !== wanted);
  if (linked.length > 0) addFolder(withoutSlashes(MACHINE), 0o755);
  for (const [wanted, point] of linked) {
    if (linked.some(([other]) => wanted !== other && isAt(wanted, other))) continue;
    const [, dir = "", name = ""] = /^(?:(.*)\/)?([^/]+)$/s.exec(withoutSlashes(wanted)) ?? [];
    const at = [addFolder(dir, 0o755), name].filter((part) => part !== "").join("/");
    made.set(at, symbolicLink(at, byteString(point), mtime));
  }
  for (const wanted of FILES) {
    if (made.get(wanted)?.kind !== "file") addFile(wanted, "");
  }
  if (RELEASES.every((file) => followPath(made, file)?.kind !== "file")) {
    addFile("usr/lib/os-release", release);
  }
  for (const dir of UNIT_FOLDERS) {
    const real = followPath(made, dir)?.path;
    for (const at of [...made.keys()]) {
      if (real !== undefined && isAttached(at, real, name)) made.delete(at);
    }
  }
  for (const unit of units) addFile(`${UNITS}/${unit.name}`, unit.text);
  return [...made.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Whether `portablectl attach` takes a unit for one of the service: NAME.TYPE, NAME-MORE.TYPE, NAME@.TYPE. */
function isAttached(file: string, dir: string, name: string): boolean {
  if (path.posix.dirname(file) !== dir) return false;
  const unit = path.posix.basename(file);
  return unit.startsWith(name) && /^[-.@]/.test(unit.slice(name.length));
}
