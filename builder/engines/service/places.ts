/** Where a service is installed: for the machine, or for one user. */
import { readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { configDirectory, isLink } from "../../host/paths.ts";
import { INSTALLED } from "../engine.ts";

/** Whose services they are. */
export interface Places {
  isUser: boolean;
  /** Folder of bundles. */
  bundles: string;
  /** Folder of units. */
  units: string;
  /** Folder of descriptions of users; a user's services need none. */
  users: string | undefined;
}

export function placesFor(isUser: boolean): Places {
  if (!isUser) {
    const system = { units: "/etc/systemd/system", users: "/etc/sysusers.d" };
    return { isUser, bundles: INSTALLED, ...system };
  }
  return {
    isUser,
    bundles: path.join(os.homedir(), ".local/lib/bundles"),
    units: path.join(configDirectory(), "systemd/user"),
    users: undefined,
  };
}

/** What stands in a unit about its installation. systemd passes over sections whose names begin with X-. */
export interface Record {
  /** Path of the bundle. */
  program: string;
  /** Of it, when it was installed: 64 hex digits. */
  sha256: string;
}

const SECTION = "[X-Fuselage]";

export const withRecord = (unit: string, { program, sha256 }: Record): string =>
  `${unit}\n${SECTION}\nProgram=${program}\nSha256=${sha256}\n`;

/** What a unit file says of its installation. */
export type Found = Record | "foreign" | undefined;

/**
 * A link is never ours: `systemctl link` and `mask` make such, and what it leads to is somebody's.
 *
 * @returns "foreign" for a unit that was not installed by us, undefined where there is none
 */
export async function recordOf(file: string): Promise<Found> {
  if (isLink(file)) return "foreign";
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    return "";
  });
  if (text === undefined) return undefined;
  const [, program, sha256] =
    /^\[X-Fuselage\]\nProgram=(\/.*)\nSha256=([0-9a-f]{64})\n$/m.exec(text) ?? [];
  return program === undefined || sha256 === undefined ? "foreign" : { program, sha256 };
}
