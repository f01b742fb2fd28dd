/** The paths that an app declares, where an engine puts something there for it. */
import * as errors from "../errors.ts";
import { systemPaths } from "../generated/spec.ts";
import type { FileAccess } from "../manifest/permissions.ts";
import type { BundleFacts } from "./engine.ts";

/** A path of rule `fs`, in its normal form. */
export interface DeclaredPlace {
  path: string;
  access: FileAccess;
}

/** Where an engine puts something. */
export interface Surroundings {
  /** Whether the app sees the machine's files, or those of its image with nothing of the machine around them. */
  root: "machine" | "image";
  /** Which of them the engine has something for. */
  wanted: readonly FileAccess[];
  /** Folders that have to stay as they are. Default: of an image, those that the app's files are in. */
  own?: readonly string[];
}

/** What the engine itself mounts, and never of anything else. */
const KERNEL = ["/dev", "/proc", "/sys"];

const isAt = (path: string, folder: string) => path === folder || isBelow(path, folder);
const isBelow = (path: string, folder: string) =>
  path.startsWith(folder === "/" ? "/" : `${folder}/`) && path !== folder;

/**
 * Whatever is put at a path covers what is there: the app itself, its system, or what the engine puts there for every
 * service. Words for folders of a user are no paths.
 *
 * @throws E_ENGINE_INPUT that names the permission
 */
export function declaredPlaces(
  { file, permissions, folders }: BundleFacts,
  { root, wanted, own = root === "image" ? folders : [] }: Surroundings,
): DeclaredPlace[] {
  const places = Object.entries(permissions?.fs ?? {})
    .map(([path, access]) => ({ path, access }))
    .filter(({ path, access }) => path.startsWith("/") && wanted.includes(access))
    // Of a machine all is there to be read anyway.
    .filter(({ path, access }) => root === "image" || path !== "/" || access === "rw");
  for (const { path, access } of places) {
    const covered = coveredBy(path, root, own);
    if (covered === undefined) continue;
    const what = `declares fs ${path} ${access}, and something at ${path} would cover ${covered}`;
    throw errors.engineInput(
      file,
      what,
      "Build it with a permission for the folder of its data alone.",
    );
  }
  return places;
}

function coveredBy(path: string, root: Surroundings["root"], own: readonly string[]) {
  const folder = own.find((one) => isAt(one, path) || isAt(path, one));
  if (folder !== undefined) return `the app's own files in ${folder}`;
  if (root === "machine") {
    return path === "/" || KERNEL.includes(path) ? "what the engine has there" : undefined;
  }
  if (KERNEL.some((one) => isAt(path, one))) return "what the engine has there";
  const system = [...systemPaths.exactly, ...systemPaths.below];
  return system.some((one) => isAt(one, path)) ? "the system of the image" : undefined;
}
