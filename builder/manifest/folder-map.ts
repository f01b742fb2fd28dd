/** Folders of an image that appear at paths of their own: `DIR=PATH`, as runtime/bundle/map.c reads it. */
import { reservedPaths } from "../generated/spec.ts";

/** One of them, taken apart. Texts are what the caller's are: Unicode or byte strings. */
export interface FolderMap {
  /** Folder below the image's root; "." is the root. */
  source: string;
  /** Absolute path, without `.`, `..` and empty components. */
  path: string;
  /** `?`: a start goes on where the folder cannot appear. */
  optional: boolean;
  /** `!`: a folder that the machine has there is hidden. */
  hides: boolean;
}

/** What is wrong with one: the code of the failure, and words for it. */
export interface MapProblem {
  code: "E_MAP_INVALID" | "E_MAP_OVERLAP" | "E_MAP_RESERVED";
  what: string;
}

/** Bytes: each character of a byte string is one. What links of a machine add must leave it a path. */
const PATH_LIMIT = 2048;

/** Whether it is what a path becomes when it has been followed: "a/b", never "a//b" or "a/..". */
function isNormal(path: string): boolean {
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** Takes one apart; it must be written as a manifest has it. */
export function parseMap(text: string): FolderMap | MapProblem {
  const invalid = (what: string): MapProblem => ({ code: "E_MAP_INVALID", what });
  const [, source, marks, path] = /^(.*?)=([?!]{0,2})(\/.*)$/s.exec(text) ?? [];
  if (source === undefined || marks === undefined || path === undefined) {
    return invalid("expected DIR=/absolute/path");
  }
  if (!isNormal(source) && source !== ".") {
    return invalid("expected a folder below the image's root, without . and .., or . alone");
  }
  if (path.length >= PATH_LIMIT) {
    return invalid(`the path is too long: expected less than ${PATH_LIMIT} bytes`);
  }
  if (path !== "/" && !isNormal(path.slice(1))) {
    return invalid("expected a path without ., .. and empty components, and no slash at its end");
  }
  return { source, path, optional: marks.includes("?"), hides: marks.includes("!") };
}

/** The same for what a person writes: slashes that are too many, and "./" before a folder, do not count. */
export function parseTypedMap(text: string): FolderMap | MapProblem {
  const [, source = "", marks = "", path = ""] = /^(.*?)(=[?!]{0,2})(\/.*)$/s.exec(text) ?? [];
  if (marks === "") return parseMap(text);
  const folder = source.replace(/\/+/g, "/").replace(/^(\.\/)+(?=.)/, "");
  const place = path.replace(/\/+/g, "/");
  return parseMap(`${trimmed(folder)}${marks}${trimmed(place)}`);
}

const trimmed = (path: string) => (path.length > 1 ? path.replace(/\/$/, "") : path);

/** As a manifest has it. */
export function formatMap({ source, path, optional, hides }: FolderMap): string {
  return `${source}=${optional ? "?" : ""}${hides ? "!" : ""}${path}`;
}

export function isProblem(map: FolderMap | MapProblem): map is MapProblem {
  return "code" in map;
}

const isWithin = (path: string, folder: string) => `${path}/`.startsWith(`${folder}/`);

/** What is wrong with one of them, or with two: the first that is found, and whose it is. */
export function mapsProblem(
  maps: readonly FolderMap[],
): (MapProblem & { map: FolderMap }) | undefined {
  for (const [index, map] of maps.entries()) {
    const reserved = reservedProblem(map.path);
    if (reserved !== undefined) return { ...reserved, map };
    for (const other of maps.slice(0, index)) {
      if (!isWithin(map.path, other.path) && !isWithin(other.path, map.path)) continue;
      const how = map.path === other.path ? "twice at one path" : "one is below the other";
      return { code: "E_MAP_OVERLAP", what: `with ${formatMap(other)}: ${how}`, map };
    }
  }
  return undefined;
}

function reservedProblem(path: string): MapProblem | undefined {
  const code = "E_MAP_RESERVED";
  if (path === "/") return { code, what: "/ is the whole machine" };
  const hit = reservedPaths.find((one) => isWithin(path, one) || isWithin(one, path));
  if (hit === undefined) return undefined;
  const how = isWithin(path, hit) ? "is in" : "has";
  return { code, what: `${path} ${how} ${hit}, which is the system's` };
}

/**
 * Paths that surely are the image's at a start: that of --mount-at, and maps that no start goes without.
 *
 * @param maps each `DIR=PATH`, checked
 */
export function imagePlaces(mountAt: string | undefined, maps: readonly string[]): FolderMap[] {
  const fixed = { source: ".", path: mountAt ?? "", optional: false, hides: false };
  return [...(mountAt === undefined ? [] : [fixed]), ...parsedMaps(maps)].filter(
    (map) => !map.optional,
  );
}

/** Those that are well written. @param texts each `DIR=PATH` */
export const parsedMaps = (texts: readonly string[]): FolderMap[] =>
  texts.map(parseMap).filter((map): map is FolderMap => !isProblem(map));

/** Where in the image an absolute path leads to; undefined: it is the machine's. "" is the root. */
export function pathInImage(path: string, places: readonly FolderMap[]): string | undefined {
  const place = places.find((one) => isWithin(path, one.path));
  if (place === undefined) return undefined;
  const rest = path.slice(place.path.length + 1);
  return [place.source, rest].filter((part) => part !== "." && part !== "").join("/");
}
