/** Paths that are the same at every start: `/run/fuselage/NAME`, one component below the folder. */
import { paths } from "../generated/spec.ts";

/** With its final slash. */
export const FIXED_DIRECTORY = `${paths.fixedDirectory}/`;

const NAME_MAX = 255;

/** Whether a name can be that of an archive or of a bundle's fixed path: one path component. */
export function isComponent(name: string): boolean {
  const size = Buffer.byteLength(name);
  if (size === 0 || size > NAME_MAX || name === "." || name === "..") return false;
  return !name.includes("/") && !name.includes("\0");
}

export function isFixedPath(path: string): boolean {
  return path.startsWith(FIXED_DIRECTORY) && isComponent(path.slice(FIXED_DIRECTORY.length));
}
