/**
 * Root filesystems of machines that are unlike this one: without any libc, with musl's, with an old glibc,
 * and laid out as NixOS is. They have next to nothing else.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { debianFiles } from "../../scripts/debian.mjs";
import { root as checkout, type Outcome, ordinaryUser, run } from "./process.ts";

/** A name that only /etc/hosts of a root knows, and its address. */
export const HOST = { name: "only-here.example", address: "192.0.2.7" };

export interface OtherRoot {
  /** Whether there is a shell at /bin/sh. */
  shell: boolean;
  /** Copies a file or folder of this machine into it. */
  add(file: string, to: string): void;
  /** Runs a file of it. Its environment is what is given here, and HOME. */
  start(
    file: string,
    uid: number,
    args?: readonly string[],
    env?: Record<string, string>,
  ): Promise<Outcome>;
}

/** What each root has beside the folders of all. */
const contents = {
  nothing: (_: string) => {},
  musl: (top: string) => {
    take(
      debianFiles("bookworm", ["musl"]),
      "lib/x86_64-linux-musl/libc.so",
      top,
      "lib/ld-musl-x86_64.so.1",
    );
    shellAt(top, "bin");
  },
  "debian-11": (top: string) => {
    const libc = debianFiles("bullseye", ["fuse3", "libc6"]);
    for (const folder of ["lib", "lib64", "bin"])
      cpSync(path.join(libc, folder), path.join(top, folder), copying);
    chmodSync(path.join(top, "bin/fusermount3"), 0o4755);
    shellAt(top, "bin");
  },
  /** The libc of this machine. */
  same: (top: string) => {
    for (const name of ["libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"]) {
      const file = execFileSync("gcc", [`-print-file-name=${name}`], { encoding: "utf8" }).trim();
      take("/", file, top, `lib/x86_64-linux-gnu/${name}`);
    }
    mkdirSync(path.join(top, "lib64"));
    const loader = "ld-linux-x86-64.so.2";
    symlinkSync(`/lib/x86_64-linux-gnu/${loader}`, path.join(top, "lib64", loader));
  },
  nixos: (top: string) => {
    // No /lib64, no /usr/lib: what there is is in the store, and /bin/sh is a link.
    const libc = debianFiles("bullseye", ["fuse3", "libc6"]);
    cpSync(path.join(libc, "lib"), path.join(top, "nix/store/0000-glibc-2.31/lib"), copying);
    shellAt(top, "nix/store/0001-busybox/bin");
    mkdirSync(path.join(top, "bin"));
    symlinkSync("/nix/store/0001-busybox/bin/sh", path.join(top, "bin/sh"));
  },
} as const;

const copying = { recursive: true, verbatimSymlinks: true };

export type RootName = keyof typeof contents;

function take(from: string, file: string, top: string, to: string): void {
  mkdirSync(path.dirname(path.join(top, to)), { recursive: true });
  cpSync(path.join(from, file), path.join(top, to), { dereference: true });
}

function shellAt(top: string, folder: string): void {
  take(debianFiles("bookworm", ["busybox-static"]), "bin/busybox", top, `${folder}/busybox`);
  for (const name of ["sh", "echo", "true"]) symlinkSync("busybox", path.join(top, folder, name));
}

/** Makes one below `dir`, which nobody else uses. Needs root, gcc and apt. */
export function otherRoot(dir: string, name: RootName): OtherRoot {
  const enter = path.join(dir, "enter-root");
  const source = path.join(checkout, "test/support/enter-root.c");
  execFileSync("gcc", ["-static", "-O1", "-Wall", "-Werror", "-o", enter, source]);
  const top = path.join(dir, name);
  for (const folder of ["proc", "dev", "tmp", "home", "var", "etc"])
    mkdirSync(path.join(top, folder), { recursive: true });
  chmodSync(path.join(top, "tmp"), 0o1777);
  const { uid, gid } = ordinaryUser();
  mkdirSync(path.join(top, "var/somebody"));
  chownSync(path.join(top, "var/somebody"), uid, gid);
  const hosts = `127.0.0.1 localhost\n${HOST.address} ${HOST.name}\n`;
  const users = `root:x:0:0::/home:/bin/sh\nsomebody:x:${uid}:${gid}::/var/somebody:/bin/sh\n`;
  writeFileSync(path.join(top, "etc/hosts"), hosts);
  writeFileSync(path.join(top, "etc/passwd"), users);
  contents[name](top);
  return {
    shell: lstatSync(path.join(top, "bin/sh"), { throwIfNoEntry: false }) !== undefined,
    add: (file, to) => cpSync(file, path.join(top, to), copying),
    start(file, asUid, args = [], env = {}) {
      const home = asUid === 0 ? "/home" : "/var/somebody";
      const clean = Object.fromEntries(Object.keys(process.env).map((key) => [key, undefined]));
      const own = { HOME: home, PATH: "/usr/bin:/bin", FUSELAGE_LINGER: "0", ...env };
      return run(enter, [top, `${asUid}`, file, ...args], { env: { ...clean, ...own } });
    },
  };
}
