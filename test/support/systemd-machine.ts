/**
 * A machine of its own with systemd as process 1: systemd-nspawn over an overlay of this machine's files. It boots in
 * about a second, and nothing that happens there stays.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Files, writeFiles } from "./case.ts";
import { type Outcome, root, run } from "./process.ts";
import { temporaryDirectory } from "./temporary.ts";

export const machineNeeds = ["root", "fuse", "cgroup", "systemdNspawn", "overlay"] as const;

let count = 0;

/** What goes there by absolute paths: texts, or files of this machine. */
export interface MachineFiles {
  texts?: Files;
  copies?: Readonly<Record<string, string>>;
  /** Whether it has loop devices: those of this machine. */
  loops?: boolean;
}

/**
 * Boots it and runs a script of sh as root in it, which ends it.
 *
 * @returns what the script printed, with the console's words behind it where the machine failed
 */
export async function onSystemd(
  { texts = {}, copies = {}, loops = false }: MachineFiles,
  script: string,
): Promise<Outcome> {
  const dir = temporaryDirectory();
  mkdirSync(path.join(dir, "files"));
  writeFiles(path.join(dir, "files"), texts);
  for (const [to, from] of Object.entries(copies)) {
    const target = path.join(dir, "files", to);
    mkdirSync(path.dirname(target), { recursive: true });
    copyFileSync(from, target);
  }
  // Nodes of its own, since the kernel may hand out a device that has none here.
  const nodes = "for i in $(seq 0 255); do mknod /dev/loop$i b 7 $i 2>/dev/null; done\n";
  writeFileSync(path.join(dir, "check.sh"), `${loops ? nodes : ""}${script}`);
  const name = `fuselage-test-${process.pid}-${count++}`;
  const starter = path.join(root, "test/support/systemd-machine.sh");
  const args = [
    "--mount",
    "sh",
    starter,
    dir,
    name,
    root,
    loops ? "/dev/loop-control" : "/dev/null",
  ];
  const outcome = await run("unshare", args, { timeout: 270_000 });
  const textOf = (file: string) =>
    existsSync(path.join(dir, file)) ? readFileSync(path.join(dir, file), "utf8") : "";
  const failed = outcome.status === 0 ? "" : `${textOf("console")}${outcome.stderr}`;
  return { ...outcome, stdout: textOf("out"), stderr: failed };
}
