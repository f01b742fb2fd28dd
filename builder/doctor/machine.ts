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
/** 2³² − 1 is no number of a user or group. */
const NO_ID = 0xffffffff;

/** Root's own programs: root runs nothing that PATH of somebody else leads to. */
const SYSTEM_FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** What root's own programs are told: variables that are the caller's lead to their configuration and to code. */
const TOLD = /^(LANG|LC_[A-Z]+|TERM|(https?|ftp|all|no)_proxy)$/i;

/** The environment of a program that root runs. */
export function rootEnvironment(): NodeJS.ProcessEnv {
  const told = Object.entries(process.env).filter(([name]) => TOLD.test(name));
  const own = { PATH: SYSTEM_FOLDERS.join(":"), HOME: "/root", DEBIAN_FRONTEND: "noninteractive" };
  return { ...Object.fromEntries(told), ...own };
}

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

/** Whether nobody but root can change what is at a path, which has no links. To be asked by root. */
export function isRootsAlone(file: string): boolean {
  const { uid, mode } = lstatSync(file);
  return uid === 0 && (mode & 0o022) === 0 && trustedFolder(path.dirname(file)) !== undefined;
}

/** A program of the system by its real path, which nobody but root can change; undefined without one. */
export function systemProgram(name: string): string | undefined {
  for (const folder of SYSTEM_FOLDERS) {
    try {
      const file = realpathSync(path.join(folder, name));
      accessSync(file, constants.X_OK);
      if (isRootsAlone(file)) return file;
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
 * @returns null for a name that /etc/passwd does not have, and for root, whose starts need nothing of this
 */
export function identityFor(wanted: string | undefined): Identity | undefined | null {
  if (wanted !== undefined) {
    const rows = (textOf("/etc/passwd") ?? "").split("\n").map((line) => line.split(":"));
    const row = rows.find(([name, , uid]) => name === wanted || uid === wanted);
    const numbers = row?.slice(2, 4) ?? [wanted, wanted];
    if (!numbers.every((text) => /^\d{1,10}$/.test(text))) return null;
    const [uid = 0, gid = 0] = numbers.map(Number);
    return uid > 0 && uid < NO_ID && gid < NO_ID ? { uid, gid } : null;
  }
  if (process.getuid?.() !== 0) return undefined;
  const { SUDO_UID = "", SUDO_GID = "" } = process.env;
  const bySudo = [SUDO_UID, SUDO_GID].every((text) => /^[1-9]\d{0,8}$/.test(text));
  return bySudo ? { uid: Number(SUDO_UID), gid: Number(SUDO_GID) } : { uid: NOBODY, gid: NOBODY };
}
