/** Runs a script as root of a machine whose files and kernel values may be changed: none of it reaches this one. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Outcome } from "./process.ts";

/**
 * A user namespace with all users of this machine, in which changes of /etc, /var/lib and /usr/sbin stay in
 * memory. The values below /proc/sys/user are the namespace's own.
 */
const prepare = `set -e
echo ready
read go
mount -t tmpfs none "$0"
for dir in /etc /var/lib /usr/sbin; do
  name=$(echo "$dir" | tr / -)
  mkdir "$0/up$name" "$0/work$name"
  mount -t overlay -o "lowerdir=$dir,upperdir=$0/up$name,workdir=$0/work$name,userxattr" none "$dir"
done
script=$1; shift
exec sh -c "$script" "$@"`;

/** @param script of sh, run as root there @param args `$0` and what follows */
export async function onAnotherMachine(
  folder: string,
  script: string,
  ...args: string[]
): Promise<Outcome> {
  const unshare = ["--user", "--mount", "sh", "-c", prepare, folder, script, ...args];
  const child = spawn("unshare", unshare, { stdio: "pipe" });
  const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  await once(child.stdout, "data"); // It is in its namespace now.
  output.stdout = "";
  for (const map of ["uid_map", "gid_map"]) {
    writeFileSync(path.join("/proc", `${child.pid}`, map), "0 0 65536");
  }
  child.stdin.end("go\n");
  const ended: [number | null, NodeJS.Signals | null] = await closed;
  return { status: ended[0], signal: ended[1], ...output };
}
