/** What the mount table says of a directory. */
import { readFileSync } from "node:fs";

export interface Mounted {
  type: string;
  /** Byte string. */
  source: string;
  /** Of a FUSE mount: who may unmount it. */
  userId: number | undefined;
}

/** The table writes space, tab, newline, backslash and # as octal numbers. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/**
 * The mount on top at `target`, an absolute path without links, as a byte string. The format is
 * that of /proc/PID/mountinfo, proc(5).
 *
 * @param table for tests; default: the one of this process
 */
export function mountedAt(
  target: string,
  table = readFileSync("/proc/self/mountinfo", "latin1"),
): Mounted | undefined {
  let found: Mounted | undefined;
  for (const line of table.split("\n")) {
    const fields = line.split(" ");
    const end = fields.indexOf("-", 6);
    if (end < 0 || unescaped(fields[4] ?? "") !== target) continue;
    const [type = "", source = "", options = ""] = fields.slice(end + 1);
    const user = /(?:^|,)user_id=(\d+)/.exec(options)?.[1];
    found = {
      type,
      source: unescaped(source),
      userId: user === undefined ? undefined : Number(user),
    };
  }
  return found;
}
