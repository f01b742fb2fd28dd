/** Texts of the command line → values of options. */
import { kindNames } from "../app/kinds.ts";
import type { KindName } from "../config/kind-names.ts";
import * as errors from "../errors.ts";
import { machines } from "../generated/spec.ts";
import { type Architecture, architectures } from "../host/paths.ts";
import { type Compression, LEVELS } from "../squashfs/squashfs-options.ts";

/** A text through its parser, or undefined when it was not given. */
export function parsed<T>(text: string | undefined, parse: (text: string) => T): T | undefined {
  return text === undefined ? undefined : parse(text);
}

/** `zstd`, `zstd:19`, `gzip:9`, `none`. */
export function parseCompression(text: string): { compression: Compression; level?: number } {
  const [codec, level, ...more] = text.split(":");
  const bad = (expected: string) => errors.optionValue("--compression", expected, `"${text}"`);
  if ((codec !== "zstd" && codec !== "gzip" && codec !== "none") || more.length > 0) {
    throw bad("zstd[:LEVEL], gzip[:LEVEL] or none");
  }
  if (level === undefined) return { compression: codec };
  if (codec === "none") throw bad("none, which has no levels");
  const { min, max } = LEVELS[codec];
  const number = wholeNumber(level);
  if (number === undefined || number < min || number > max) {
    throw bad(`${codec}:LEVEL with a level from ${min} to ${max}`);
  }
  return { compression: codec, level: number };
}

/** `131072`, `128K`, `1M`: bytes, a power of two from 4 KiB to 1 MiB. */
export function parseBlockSize(text: string): number {
  const [, digits, unit] = /^([0-9]+)([KkMm]?)(?:i?[Bb])?$/.exec(text) ?? [];
  const scale = { "": 1, k: 1024, m: 1048576 }[(unit ?? "").toLowerCase()] ?? 1;
  const bytes = (wholeNumber(digits ?? "") ?? 0) * scale;
  const isPowerOfTwo = bytes > 0 && Number.isInteger(Math.log2(bytes));
  if (!isPowerOfTwo || bytes < 4096 || bytes > 1048576) {
    throw errors.optionValue("--block-size", "a power of two from 4K to 1M", `"${text}"`);
  }
  return bytes;
}

/** Threads, 1..256. */
export function parseThreads(text: string): number {
  const threads = wholeNumber(text);
  if (threads === undefined || threads < 1 || threads > 256) {
    throw errors.optionValue("--threads", "a whole number from 1 to 256", `"${text}"`);
  }
  return threads;
}

/** An architecture by the name that `uname -m` gives it, or by Node's or Debian's. */
export function parseArch(text: string): Architecture {
  const named = (names: readonly string[]) => names.includes(text);
  const machine = machines.find(({ name, aliases }) => named([name, ...aliases]));
  if (machine === undefined) {
    throw errors.optionValue("--arch", architectures.join(" or "), `"${text}"`);
  }
  return machine.name;
}

/** What Node calls the machine: linux-x64, linux-arm64. */
export function parseTarget(text: string): Architecture {
  const machine = machines.find(({ node }) => text === `linux-${node}`);
  if (machine === undefined) {
    const known = machines.map(({ node }) => `linux-${node}`);
    throw errors.optionValue("--target", known.join(" or "), `"${text}"`);
  }
  return machine.name;
}

/** A C library. */
export function parseLibc(text: string): "glibc" | "musl" | "static" {
  if (text === "glibc" || text === "musl" || text === "static") return text;
  throw errors.optionValue("--node-libc", "glibc, musl or static", `"${text}"`);
}

/** A kind of app, or auto. */
export function parseKind(text: string): KindName | "auto" {
  const known = [...kindNames, "auto" as const].find((name) => name === text);
  if (known === undefined) {
    throw errors.optionValue("--kind", ["auto", ...kindNames].join(", "), `"${text}"`);
  }
  return known;
}

/** `Game;LogicGame` or `Game,LogicGame`; a separator may end it. */
export function parseList(text: string): string[] {
  return text.split(/[;,]/).filter((item) => item !== "");
}

/** `K=V`. */
export function parseVariable(text: string): string {
  if (text.indexOf("=") < 1) {
    throw errors.optionValue("--env", "K=V with a name before the =", `"${text}"`);
  }
  return text;
}

function wholeNumber(text: string): number | undefined {
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
}
