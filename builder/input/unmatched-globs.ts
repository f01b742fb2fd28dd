/** What a caller leaves out and nothing is: a typing error, as a rule. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { Breath } from "../host/breath.ts";
import type { GlobWatch } from "../tree/exclusion.ts";
import { type Warning, warning } from "../warnings.ts";

/**
 * @param watch of the globs, when all has been read
 * @param folder that was read, where it is one: a kind of app need not look at all of it, and then nothing is wrong
 *   with a glob of what it would not take anyway
 */
export async function unmatchedGlobs(
  watch: GlobWatch,
  folder?: string,
  signal?: AbortSignal,
): Promise<Warning[]> {
  if (folder !== undefined && watch.unused.length > 0) await noteAllOf(folder, watch, signal);
  return watch.unused.map((glob) =>
    warning("W_EXCLUDE", `${glob} is to be left out and matches nothing`),
  );
}

async function noteAllOf(folder: string, watch: GlobWatch, signal?: AbortSignal): Promise<void> {
  const breath = new Breath(signal);
  const pending = [""];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    // What cannot be read is said by who packs it; of what is no folder there is nothing to see.
    const place = path.join(folder, at);
    const entries = await readdir(place, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const name = at === "" ? entry.name : `${at}/${entry.name}`;
      watch.note(name);
      if (watch.unused.length === 0) return;
      if (entry.isDirectory()) pending.push(name);
      if (breath.isDue) await breath.take();
    }
  }
}
