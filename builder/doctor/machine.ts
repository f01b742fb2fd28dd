/** What is looked up of this machine to mend it: files, programs, whom a start is tried as. */
import { accessSync, constants, lstatSync, readFileSync, realpathSync } from "node:fs";
import path from "node:path";
import { trustedFolder } from "../host/trusted.ts";

/** Whom a start is tried as. */
export interface Identity {
  /** 0 to 2³² − 2. */
  uid: number;
  /** The only group. */
  gid: number;
}

const NOBODY = 65534;

/** Root's own programs: root runs nothing that PATH of somebody else leads to. */
const SYSTEM_FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** The text of a file, or undefined where there is none to read. */
export function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Permission bits of what is at a path, links not followed; undefined where nothing is. */
export function modeOf(file: string): number | undefined {
  try {
    return lstatSync(file).mode & 0o7777;
  } catch {
    return undefined;
  }
}

/** A program of the system by its real path, which nobody but root can change; undefined without one. */
export function systemProgram(name: string): string | undefined {
  for (const folder of SYSTEM_FOLDERS) {
    try {
      const file = realpathSync(path.join(folder, name));
      accessSync(file, constants.X_OK);
      if (trustedFolder(path.dirname(file)) !== undefined && lstatSync(file).uid === 0) return file;
    } catch {
      // Not in this one.
    }
  }
  return undefined;
}

/** The kinds of distribution that this one says it is, most particular first: `ubuntu`, `debian`. */
export function distributions(): readonly string[] {
  const text = textOf("/etc/os-release") ?? textOf("/usr/lib/os-release") ?? "";
  const field = (name: string) =>
    new RegExp(`^${name}=["']?([^"'\n]*)`, "m").exec(text)?.[1]?.split(/\s+/) ?? [];
  return [...field("ID"), ...field("ID_LIKE")].filter((word) => word !== "");
}

/**
 * Whom the starts are for: who called sudo, or nobody in particular. undefined for an ordinary user,
 * who is that already.
 *
 * @param wanted name or number of a user, when one is named
 * @returns null for a name that /etc/passwd does not have
 */
export function identityFor(wanted: string | undefined): Identity | undefined | null {
  if (wanted !== undefined) {
    const rows = (textOf("/etc/passwd") ?? "").split("\n").map((line) => line.split(":"));
    const row = rows.find(([name, , uid]) => name === wanted || uid === wanted);
    if (row !== undefined) return { uid: Number(row[2]), gid: Number(row[3]) };
    return /^\d{1,9}$/.test(wanted) ? { uid: Number(wanted), gid: Number(wanted) } : null;
  }
  if (process.getuid?.() !== 0) return undefined;
  const { SUDO_UID = "", SUDO_GID = "" } = process.env;
  const bySudo = [SUDO_UID, SUDO_GID].every((text) => /^[1-9]\d{0,8}$/.test(text));
  return bySudo ? { uid: Number(SUDO_UID), gid: Number(SUDO_GID) } : { uid: NOBODY, gid: NOBODY };
}
