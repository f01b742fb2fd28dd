/** The machine that an app is packed for, as npm and Node call it. */
import { type Architecture, type Machine, machineOf } from "../../host/paths.ts";
import type { PackageJson } from "./package.ts";

export type Libc = "glibc" | "musl" | "static";

export interface Target {
  arch: Machine["node"];
  /** e_machine of its ELF files. */
  machine: number;
  libc: Libc;
}

/** NODE_MODULE_VERSION by major version: what an addon that does not use Node-API is made for. */
const ABI: Readonly<Record<number, number>> = { 18: 108, 20: 115, 22: 127, 24: 137, 26: 147 };

export function targetFor(arch: Architecture, libc: Libc): Target {
  const { node, elfMachine } = machineOf(arch);
  return { arch: node, machine: elfMachine, libc };
}

/** "linux-arm64 (musl)" */
export function showTarget({ arch, libc }: Target): string {
  return `linux-${arch} (${libc})`;
}

/** Undefined for versions that are not known here. */
export function abiOf(version: string | undefined): number | undefined {
  return ABI[Number(version?.split(".")[0])];
}

/** Major version of Node with an ABI. */
export function nodeWithAbi(abi: number): string | undefined {
  return Object.keys(ABI).find((major) => ABI[Number(major)] === abi);
}

/** Whether package.json allows a machine, by npm's rule: names, and names after "!". */
export function packageFits({ os, cpu, libc }: PackageJson, target: Target): boolean {
  const allows = (list: string[] | undefined, value: string) => {
    if (!Array.isArray(list) || list.length === 0 || list.includes("any")) return true;
    if (list.includes(`!${value}`)) return false;
    const wanted = list.filter((name) => !name.startsWith("!"));
    return wanted.length === 0 || wanted.includes(value);
  };
  const family = target.libc === "glibc" ? "glibc" : "musl";
  return allows(os, "linux") && allows(cpu, target.arch) && allows(libc, family);
}

/** How packages of one machine each are called: "@esbuild/win32-x64", "@img/sharp-linuxmusl-arm64", "lib-linux-arm-gnueabihf". */
const FOR_MACHINE =
  /[-/](aix|android|cygwin|darwin|freebsd|haiku|linux|linuxmusl|netbsd|openbsd|openharmony|sunos|win32|windows)-(arm64|arm|ia32|loong64|mips64el|mipsel|ppc64|ppc64le|riscv64|s390x|universal|x64)(?:-([a-z]+))?$/;

/** What is taken where there is no machine code for the machine. */
const FOR_ANY = /[-/]wasm32(?:-wasi)?$/;

/**
 * Whether a package's name says that it is for another machine, or for one that has no code of its own: package
 * managers do not install these, and loaders name them all.
 */
export function namesOtherMachine(name: string, target: Target): boolean {
  if (FOR_ANY.test(name)) return true;
  const [, system, cpu, abi = ""] = FOR_MACHINE.exec(name) ?? [];
  if (system === undefined) return false;
  const isMusl = system === "linuxmusl" || abi.startsWith("musl");
  const isGlibc = system === "linux" && abi.startsWith("gnu");
  const otherLibc = target.libc === "glibc" ? isMusl : isGlibc;
  return !system.startsWith("linux") || cpu !== target.arch || otherLibc;
}
