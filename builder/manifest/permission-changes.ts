/** What an app may do more, and what less, when one list of rules takes the place of another. */
import { isPermissionProblem, parsePermissions } from "./permission-rules.ts";
import type { Permissions } from "./permissions.ts";

/** Rules that allow something which the other list does not. */
export interface PermissionChanges {
  /** Of the later one. "everything": it has no sandbox, and the earlier one had. */
  gained: readonly string[];
  /** Of the earlier one, in the same way. */
  lost: readonly string[];
}

/**
 * Compares what is allowed, not how it is written: to read a folder is no gain where the folder above was
 * read.
 *
 * @param before rules as records have them; undefined: no sandbox
 */
export function permissionChanges(
  before: readonly string[] | undefined,
  after: readonly string[] | undefined,
): PermissionChanges {
  return { gained: more(after, before), lost: more(before, after) };
}

/** What the one allows and the other does not. */
function more(one: readonly string[] | undefined, other: readonly string[] | undefined): string[] {
  if (other === undefined) return [];
  if (one === undefined) return ["everything"];
  const parsed = parsePermissions(other);
  const allowed = isPermissionProblem(parsed) ? {} : parsed;
  const own = new Set(one);
  return [
    ...one.filter((rule) => !isAllowed(rule, allowed)),
    // What holds an app in is gone.
    ...other
      .filter((rule) => /^(pid|netns)$/.test(rule) && !own.has(rule))
      .map((rule) => `no ${rule}`),
  ];
}

/** Whether a rule allows nothing that permissions do not. */
function isAllowed(rule: string, { fs = {}, ...allowed }: Permissions): boolean {
  const [kind = "", what = "", value = ""] = rule.split(" ");
  const { net = "none", devices = [], ipc = {}, exec = "own" } = allowed;
  switch (kind) {
    case "fs": {
      const [, place = "", access] = /^fs (.*) (ro|rw)$/s.exec(rule) ?? [];
      return Object.entries(fs).some(
        ([folder, has]) =>
          (has === "rw" || access === "ro") &&
          (place === folder || (folder.startsWith("/") && isBelow(place, folder))),
      );
    }
    case "net":
      if (what === "none" || net === "all") return true;
      if (what === "all" || net === "none") return false;
      if (what === "udp") return net.udp === true;
      return (net[what === "connect" ? "connect" : "listen"] ?? []).includes(Number(value));
    case "devices":
      return what === "none" || devices.some((one) => one === what);
    case "ipc":
      if (what !== "dbus") return ipc[what === "x11" ? "x11" : "wayland"] === true;
      return (ipc.dbus ?? []).some(
        (name) => name === value || (name.endsWith(".*") && value.startsWith(name.slice(0, -1))),
      );
    case "exec":
      return what === "own" || exec === "host";
    case "debug":
    case "userns":
    case "ipcns":
      return allowed[kind] === true;
    default: // pid and netns: they take away
      return true;
  }
}

const isBelow = (path: string, folder: string) =>
  path.startsWith(folder === "/" ? folder : `${folder}/`);
