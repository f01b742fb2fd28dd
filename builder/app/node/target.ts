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
