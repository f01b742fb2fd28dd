/** Bundles whose image is the root directory of what they start: busybox, and what a test adds. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Manifest } from "../../builder/manifest/manifest.ts";
import { bundleOf, mksquashfs } from "./bundle-of.ts";
import { type Files, writeFiles } from "./case.ts";
import { type Leftovers, leftovers, leftSince } from "./leftovers.ts";
import { asUser, type Outcome, type RunOptions, run } from "./process.ts";
import { temporaryDirectory, userDirectory } from "./temporary.ts";

/** Users and groups of such an image. */
const accounts: Files = {
  "etc/passwd":
    "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102:web:/srv/web:/bin/sh\n1234:x:7:7::/:/bin/sh\n",
  "etc/group": "root:x:0:\nweb:x:102:\nlog:x:44:other,web\nstaff:x:50:web\n",
};

/** A folder with a static busybox by all of its names, and `files`. */
function busyboxRoot(files: Files = {}): string {
  const dir = path.join(temporaryDirectory(), "tree");
  mkdirSync(path.join(dir, "bin"), { recursive: true });
  copyFileSync("/usr/bin/busybox", path.join(dir, "bin/busybox"));
  const names = execFileSync("busybox", ["--list"], { encoding: "utf8" }).trim().split("\n");
  for (const name of names) {
    if (name !== "busybox") symlinkSync("busybox", path.join(dir, "bin", name));
  }
  writeFiles(dir, { ...accounts, ...files });
  return dir;
}

/** A bundle of such a folder, as `change` leaves it; it starts its arguments, or `manifest.cmd`. */
export async function rootBundle(
  files: Files = {},
  manifest: Partial<Manifest> = {},
  change: (dir: string) => void = () => {},
): Promise<string> {
  const dir = busyboxRoot(files);
  change(dir);
  const image = await mksquashfs(dir, "-all-root", "-comp", "gzip");
  return bundleOf(image, { entry: undefined, root: "image", ...manifest });
}

/** Who starts it, and what a start is called in tests. */
export interface Starter {
  title: string;
  root: boolean;
}

export const starters: Starter[] = [
  { title: "as a user", root: false },
  { title: "as root", root: true },
];

/** What it takes on this machine: `skipUnless`. */
export const startNeeds = ({ root }: Starter) =>
  root
    ? (["root", "busybox", "mksquashfs"] as const)
    : (["userns", "fuse", "busybox", "mksquashfs"] as const);

export const homeFor = ({ root }: Starter) => (root ? temporaryDirectory() : userDirectory());

/** Variables of whoever runs the tests that would change what a start does. */
const unset = {
  FUSELAGE_HOME: undefined,
  FUSELAGE_MOUNT: undefined,
  FUSELAGE_DEBUG: undefined,
  FUSELAGE_RUN_OPTIONS: undefined,
  DISPLAY: undefined,
  XDG_RUNTIME_DIR: undefined,
};

/** Starts `file` with options behind --bundle-run and then arguments of the app. */
export function startRoot(
  starter: Starter,
  file: string,
  options: readonly string[],
  args: readonly string[],
  home: string,
  more: RunOptions = {},
): Promise<Outcome> {
  const env = { ...unset, HOME: home, ...more.env };
  const all = ["--bundle-run", ...options, "--", ...args];
  const settings = { cwd: home, ...more, env };
  return starter.root ? run(file, all, settings) : asUser(file, all, home, settings);
}

/** What a successful start of `sh -c script` prints. */
export async function shell(
  starter: Starter,
  file: string,
  options: readonly string[],
  script: string,
  home: string,
  more: RunOptions = {},
): Promise<string> {
  const outcome = await startRoot(starter, file, options, ["sh", "-c", script], home, more);
  if (outcome.status !== 0) {
    throw new Error(
      `status ${outcome.status ?? outcome.signal}: ${outcome.stderr}${outcome.stdout}`,
    );
  }
  return outcome.stdout.trim();
}

/** What starts of `file` have left behind: others run on this machine at the same time. */
export function watchRoot(file: string, home: string) {
  const watched = { files: [file], homes: [home], own: [home, path.dirname(file)] };
  const before = leftovers(watched);
  return (): Promise<Leftovers> => leftSince(before, watched);
}

/** Runs a command as uid 1000, who may map `share` (FIRST:COUNT) of ids here, whatever this machine says. */
export function withRange(
  share: string,
  command: readonly string[],
  home: string,
  more: RunOptions = {},
): Promise<Outcome> {
  const lines = path.join(temporaryDirectory(), "share");
  writeFileSync(lines, `someone-else:5:7\n1000:${share}\n`);
  const script = `mount --bind ${lines} /etc/subuid && mount --bind ${lines} /etc/subgid &&
    exec setpriv --reuid 1000 --regid 1000 --clear-groups "$@"`;
  const env = { ...unset, HOME: home, ...more.env };
  const args = ["--mount", "sh", "-c", script, "sh", ...command];
  return run("unshare", args, { cwd: home, ...more, env });
}
