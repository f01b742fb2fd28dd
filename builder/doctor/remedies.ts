/** What can be done about each refusal that the doctor knows: the narrowest, and how it is undone. */
import { createHash } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import * as errors from "../errors.ts";
import type { Cause, Strategy } from "../generated/spec.ts";
import type { Action } from "./actions.ts";
import type { Finding } from "./finding.ts";
import { distributions, isRootsAlone, modeOf, systemProgram, textOf } from "./machine.ts";

/** What is done about one cause, or why nothing is. */
export interface Remedy {
  /** What refuses. */
  cause: Cause;
  /** Ways to mount that are refused by it. */
  strategies: Strategy[];
  /** What is wrong and what would be done, in one line. */
  summary: string;
  /** In the order in which they are taken; none when this machine's owner has to do it. */
  actions: Action[];
}

type Plan = Pick<Remedy, "summary" | "actions">;

/** What is as it should be: others ways do what these cannot. */
const usual: ReadonlySet<Cause> = new Set(["ADMIN", "UNSUITABLE"]);

/** As many as a user has on a machine of 1 GB or so, where nothing else is said. */
const MIN_NAMESPACES = 10_000;

const nothing = (summary: string): Plan => ({ summary, actions: [] });

/** A kernel value, now and after the next start of the machine. */
function kernelValue(name: string, value: string): Plan {
  const file = `/proc/sys/${name.replaceAll(".", "/")}`;
  return {
    summary: `${name} refuses user namespaces: set it to ${value}`,
    actions: [
      { type: "set", path: file, value },
      {
        type: "write",
        path: `/etc/sysctl.d/60-fuselage-${name}.conf`,
        text: `${name} = ${value}\n`,
      },
    ],
  };
}

/** Never less than there are: who has used all of many has to end some. */
function moreNamespaces(): Plan {
  const name = "user.max_user_namespaces";
  const there = textOf(`/proc/sys/${name.replaceAll(".", "/")}`)?.trim() ?? "";
  if (Number(there) < MIN_NAMESPACES) return kernelValue(name, `${MIN_NAMESPACES}`);
  return nothing(`${name} is ${there}, and the user has as many`);
}

function kernelModule(name: string, what: string): Plan {
  const modprobe = systemProgram("modprobe");
  if (modprobe === undefined) {
    return nothing(`the kernel has no ${what}, and there is no modprobe here to load ${name}`);
  }
  return {
    summary: `load ${name}, for ${what}`,
    actions: [
      { type: "run", command: [modprobe, name] },
      { type: "write", path: `/etc/modules-load.d/fuselage-${name}.conf`, text: `${name}\n` },
    ],
  };
}

/** How distributions install a package, by a word of their ID or ID_LIKE in os-release(5). */
const installers: Readonly<Record<string, readonly string[]>> = {
  debian: ["apt-get", "install", "-y", "fuse3"],
  ubuntu: ["apt-get", "install", "-y", "fuse3"],
  fedora: ["dnf", "install", "-y", "fuse3"],
  rhel: ["dnf", "install", "-y", "fuse3"],
  suse: ["zypper", "--non-interactive", "install", "fuse3"],
  arch: ["pacman", "-S", "--noconfirm", "fuse3"],
  alpine: ["apk", "add", "fuse3"],
};

function installFuse(): Plan {
  for (const name of distributions()) {
    const [tool = "", ...args] = installers[name] ?? [];
    const program = systemProgram(tool);
    if (program === undefined) continue;
    return {
      summary: "install fuse3, whose fusermount3 mounts for users",
      actions: [{ type: "run", command: [program, ...args], stays: "fuse3 stays installed" }],
    };
  }
  return nothing("install fuse3: its package manager is not known here");
}

function fuseMode(): Plan {
  const actions: Action[] = [{ type: "mode", path: "/dev/fuse", mode: 0o666 }];
  if (existsSync("/etc/udev")) {
    actions.push({
      type: "write",
      path: "/etc/udev/rules.d/60-fuselage-fuse.rules",
      text: 'KERNEL=="fuse", MODE="0666"\n',
    });
  }
  return { summary: "open /dev/fuse to all users, as distributions have it", actions };
}

function fusermountMode(): Plan {
  const program = systemProgram("fusermount3");
  const mode = program === undefined ? undefined : modeOf(program);
  if (program === undefined || mode === undefined || (mode & 0o4000) !== 0) {
    return nothing("fusermount3 refuses, or is on a file system that is mounted nosuid");
  }
  return {
    summary: "make fusermount3 setuid-root, as its package does",
    actions: [{ type: "mode", path: program, mode: mode | 0o4000 }],
  };
}

/** A path as a pattern of AppArmor that stands for nothing but itself: apparmor.d(5). */
function literal(file: string): string {
  if (/[\p{Cc}\uFFFD]/u.test(file)) throw errors.doctorPath(file);
  return `"${file.replace(/[\\"*?[\]{}^,@]/g, "\\$&")}"`;
}

/** Allows `userns` to one file, and is no restriction of it otherwise. */
function apparmorProfile(program: string): Plan {
  const parser = systemProgram("apparmor_parser");
  if (parser === undefined) return nothing("AppArmor restricts, and has no apparmor_parser here");
  const digest = createHash("sha256").update(program).digest("hex").slice(0, 16);
  const name = `fuselage-${digest}`;
  const file = `/etc/apparmor.d/${name}`;
  const others = isRootsAlone(program)
    ? ""
    : ": whoever can replace that file gets the same, so let it lie where only root writes";
  const text = [
    `# ${program} may make user namespaces, in which it mounts its image.`,
    "abi <abi/4.0>,",
    "include <tunables/global>",
    "",
    `profile ${name} ${literal(program)} flags=(unconfined) {`,
    "  userns,",
    "}",
    "",
  ].join("\n");
  return {
    summary: `an AppArmor profile that allows ${program}, and nothing else, to make user namespaces${others}`,
    actions: [
      { type: "write", path: file, text, check: [parser, "-Q", "-K"] },
      { type: "run", command: [parser, "-r", file], undo: [parser, "-R", file] },
    ],
  };
}

function planFor(cause: Cause, program: string, finding: Finding): Plan {
  switch (cause) {
    case "APPARMOR":
      return apparmorProfile(program);
    case "USERNS_CLONE":
      return kernelValue("kernel.unprivileged_userns_clone", "1");
    case "USERNS_LIMIT":
      return moreNamespaces();
    case "LOOP_MISSING":
      return kernelModule("loop", "loop devices");
    case "SQUASHFS_MISSING":
      return kernelModule("squashfs", "squashfs");
    case "FUSE_MISSING":
      return kernelModule("fuse", "/dev/fuse");
    case "FUSE_CLOSED":
      return fuseMode();
    case "FUSERMOUNT_MISSING":
      return installFuse();
    case "FUSERMOUNT_SETID":
      return fusermountMode();
    default:
      return nothing(`${finding.reason}: ${finding.advice}`);
  }
}

/**
 * What to do about the refusals, each cause once.
 *
 * @param program whose starts they are: a profile is for this file alone
 * @throws E_DOCTOR_PATH when its path cannot stand in a profile
 */
export function remediesFor(findings: readonly Finding[], program: string): Remedy[] {
  const remedies = new Map<Cause, Remedy>();
  for (const finding of findings) {
    const { cause, strategy, works } = finding;
    if (works || cause === undefined || usual.has(cause)) continue;
    const known = remedies.get(cause);
    if (known !== undefined) known.strategies.push(strategy);
    else {
      const plan = planFor(cause, realpathSync(program), finding);
      remedies.set(cause, { cause, strategies: [strategy], ...plan });
    }
  }
  return [...remedies.values()];
}
