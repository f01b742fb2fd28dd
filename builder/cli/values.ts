/**
 * Texts of the command line → values of options. What cannot be read stays the text that it is: whoever
 * gets it (config/validate.ts) says what the option takes.
 */
import * as errors from "../errors.ts";
import { machines } from "../generated/spec.ts";
import type { Architecture } from "../host/paths.ts";
import type { Compression } from "../squashfs/squashfs-options.ts";

/** A text through its parser, or undefined when it was not given. */
export function parsed<T>(text: string | undefined, parse: (text: string) => T): T | undefined {
  return text === undefined ? undefined : parse(text);
}

/** `zstd`, `zstd:19`, `gzip:9`, `none`. */
export function parseCompression(text: string): { compression: Compression; level?: number } {
  const [codec = "", level, ...more] = text.split(":");
  const compression = (more.length > 0 ? text : codec) as Compression;
  return level === undefined ? { compression } : { compression, level: parseNumber(level) };
}

/** `131072`, `128K`, `1M`: bytes. */
export function parseSize(text: string): number {
  const [, digits = "", unit = ""] = /^([0-9]{1,12})([KkMmGg]?)(?:i?[Bb])?$/.exec(text) ?? [];
  const scale = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[unit.toLowerCase()] ?? 1;
  return digits === "" ? unread(text) : Number(digits) * scale;
}

/** `4` */
export function parseNumber(text: string): number {
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : unread(text);
}

/** An architecture by the name that `uname -m` gives it, or by Node's or Debian's. */
export function parseArch(text: string): Architecture {
  const machine = machines.find(({ aliases }) => (aliases as readonly string[]).includes(text));
  return machine?.name ?? unread(text);
}

/** What Node calls the machine: linux-x64, linux-arm64. An option of the command line alone. */
export function parseTarget(text: string): Architecture {
  const machine = machines.find(({ node }) => text === `linux-${node}`);
  if (machine === undefined) {
    const known = machines.map(({ node }) => `linux-${node}`);
    throw errors.optionValue("--target", known.join(" or "), `"${text}"`);
  }
  return machine.name;
}

/** `Game;LogicGame` or `Game,LogicGame`; a separator may end it. */
export function parseList(text: string): string[] {
  return text.split(/[;,]/).filter((item) => item !== "");
}

/** A text in the place of a value, for the check of that to see. */
export function unread<T>(text: string): T {
  return text as T;
}
