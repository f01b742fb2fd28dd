/** Who `NAME`, `UID`, `NAME:GROUP` or the like is, by the passwd and group files of an image. */
import type { DumpEntry } from "../dump/dump-entry.ts";
import * as errors from "../errors.ts";

export interface ProcessUser {
  uid: number;
  gid: number;
  additionalGids?: number[];
}

/**
 * Who that is by the files of a root file system; whoever it does not name is root.
 *
 * @throws E_EXPORT_INPUT for a name that is in neither
 */
export async function userIn(
  entries: readonly DumpEntry[],
  user: string | undefined,
): Promise<ProcessUser> {
  const passwd = await textOf(entries, "etc/passwd");
  return findUser(user ?? "0", passwd, await textOf(entries, "etc/group"));
}

async function textOf(entries: readonly DumpEntry[], wanted: string): Promise<string> {
  const file = entries.find(({ path }) => path === wanted)?.file;
  const parts: Uint8Array[] = [];
  if (file !== undefined) for await (const part of file.read()) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString("utf8");
}

/** Fields of the lines of passwd(5) or group(5). */
const rows = (text: string) =>
  text
    .split("\n")
    .map((line) => line.split(":"))
    .filter(([name]) => name !== "");

const isNumber = (text: string) => /^[0-9]{1,10}$/.test(text);

/**
 * @param passwd what stands in /etc/passwd of the image; likewise `group`
 * @throws E_EXPORT_INPUT for a name that is in neither
 *
 * @internal
 */
export function findUser(user: string, passwd: string, group: string): ProcessUser {
  const [name = "", groupName] = user.split(":");
  const users = rows(passwd);
  const entry =
    users.find(([known]) => known === name) ??
    (isNumber(name) ? users.find(([, , uid]) => uid === name) : undefined);
  if (entry === undefined && !isNumber(name)) {
    throw errors.exportInput(name, "is a user that /etc/passwd of the image has not");
  }
  const uid = Number(entry?.[2] ?? name);
  if (groupName !== undefined) return { uid, gid: findGroup(groupName, group) };
  const gid = Number(entry?.[3] ?? 0);
  const more = rows(group)
    .filter(
      ([, , id = "", members = ""]) =>
        isNumber(id) && entry?.[0] !== undefined && members.split(",").includes(entry[0]),
    )
    .map(([, , id]) => Number(id))
    .filter((id) => id !== gid);
  return { uid, gid, ...(more.length > 0 && { additionalGids: more }) };
}

function findGroup(name: string, group: string): number {
  const id = rows(group).find(([known]) => known === name)?.[2] ?? name;
  if (isNumber(id)) return Number(id);
  throw errors.exportInput(name, "is a group that /etc/group of the image has not");
}
