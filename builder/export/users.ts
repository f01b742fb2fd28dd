/** Who `NAME`, `UID`, `NAME:GROUP` or the like is, by the passwd and group files of an image. */
import type { DumpEntry } from "../dump/dump-entry.ts";
import { followPath } from "../dump/follow-path.ts";
import * as errors from "../errors.ts";

export interface ProcessUser {
  uid: number;
  gid: number;
  additionalGids?: number[];
}

/** Bytes of a passwd or group file: a hundred thousand users. What is larger is a list of none. */
const FILE_MAX = 8 << 20;
/** The largest number of a user or group: -1 means "leave it" to chown and setresuid. */
const ID_MAX = 0xffff_fffe;

/**
 * Who that is by the files of a root file system; whoever it does not name is root. Links are followed in it alone.
 *
 * @throws E_EXPORT_INPUT for a name that is in neither, a number that nobody can have, a file that is no list of users
 */
export async function userIn(
  entries: readonly DumpEntry[],
  user: string | undefined,
): Promise<ProcessUser> {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const passwd = await textOf(byPath, "etc/passwd");
  return findUser(user ?? "0", passwd, await textOf(byPath, "etc/group"));
}

async function textOf(byPath: ReadonlyMap<string, DumpEntry>, wanted: string): Promise<string> {
  const file = followPath(byPath, wanted)?.file;
  if (file !== undefined && file.size > FILE_MAX) {
    const what = `has ${file.size} bytes in the image, and at most ${FILE_MAX} are read`;
    throw errors.exportInput(`/${wanted}`, what);
  }
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
  if (entry === undefined && !/^[0-9]+$/.test(name)) {
    throw errors.exportInput(name, "is a user that /etc/passwd of the image has not");
  }
  const uid = numberOf(entry?.[2] ?? name, name);
  if (groupName !== undefined) return { uid, gid: findGroup(groupName, group) };
  const gid = numberOf(entry?.[3] ?? "0", name);
  const more = rows(group)
    .filter(
      ([, , id = "", members = ""]) =>
        isNumber(id) && entry?.[0] !== undefined && members.split(",").includes(entry[0]),
    )
    .map(([, , id]) => Number(id))
    .filter((id) => id !== gid && id <= ID_MAX);
  return { uid, gid, ...(more.length > 0 && { additionalGids: more }) };
}

function findGroup(name: string, group: string): number {
  const id = rows(group).find(([known]) => known === name)?.[2] ?? name;
  if (isNumber(id)) return numberOf(id, name);
  throw errors.exportInput(name, "is a group that /etc/group of the image has not");
}

/** @param name whose number it is */
function numberOf(text: string, name: string): number {
  if (isNumber(text) && Number(text) <= ID_MAX) return Number(text);
  const what = `has the number ${JSON.stringify(text.slice(0, 40))} in the image, and numbers end at ${ID_MAX}`;
  throw errors.exportInput(name, what);
}
