/** Names of files as globs. */
import path from "node:path";
import { escapeGlob } from "../tree/exclusion.ts";

/** A glob, relative to a folder, that means one file and no other; undefined where it is not in the folder. */
export function globBelow(folder: string, file: string): string | undefined {
  const inside = path.relative(path.resolve(folder), path.resolve(file));
  if (inside === "" || inside.split(path.sep)[0] === "..") return undefined;
  return escapeGlob(inside);
}
