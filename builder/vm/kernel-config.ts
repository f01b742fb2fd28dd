/** What a kernel was configured with. */
import { readFile } from "node:fs/promises";
import path from "node:path";

/** Options without `CONFIG_`, each with `y`, `m` or another value; what is not set is not there. */
export type KernelConfig = ReadonlyMap<string, string>;

/**
 * The lines of a `.config`.
 *
 * @internal
 */
export function parseConfig(text: string): KernelConfig {
  const options = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/^CONFIG_(\w+)=(.*)$/gm)) {
    if (name !== undefined && value !== undefined) options.set(name, value);
  }
  return options;
}

/**
 * Where it may be: beside the kernel, as Debian has it in /boot, so that one that was unpacked elsewhere has its own;
 * with its modules, as Fedora has it; that of an installed kernel of this release.
 */
const places = (release: string, modules: string, file: string) => [
  path.join(path.dirname(file), `config-${release}`),
  path.join(modules, "config"),
  `/boot/config-${release}`,
];

/**
 * @param modules folder of its modules
 * @param file the kernel's
 * @returns undefined where none is to be found
 */
export async function readConfig(
  release: string,
  modules: string,
  file: string,
): Promise<KernelConfig | undefined> {
  for (const place of places(release, modules, file)) {
    const text = await readFile(place, "utf8").catch(() => undefined);
    if (text !== undefined) return parseConfig(text);
  }
  return undefined;
}
