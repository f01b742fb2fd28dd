/** Whether an entry of `writeImage` says what it means: a program without types may hand over anything. */
import { nearest } from "../config/nearest-name.ts";
import { shownValue } from "../config/shown-value.ts";
import * as errors from "../errors.ts";
import { byteString, displayPath } from "../tree/path.ts";
import type { ImageSource } from "./write-image.ts";

/** What an entry of any kind may say. */
const OF_ALL = ["path", "kind", "mode", "uid", "gid", "mtime", "xattrs"];

/** What only means something for these kinds; elsewhere it would be lost without a word. */
const OF_KINDS: Readonly<Record<string, readonly string[]>> = {
  contents: ["file"],
  file: ["file"],
  target: ["symlink", "hard-link"],
  device: ["character-device", "block-device"],
};

const KEYS = [...OF_ALL, ...Object.keys(OF_KINDS)];

const TEXTS = ["file", "target"] as const;

/** What it is when it does not say it. */
export const kindOf = ({ kind, path }: ImageSource) =>
  kind ?? (path.endsWith("/") ? "directory" : "file");

/** @param what is wrong with it */
export const wrongEntry = ({ path }: ImageSource, what: string) =>
  errors.pathInvalid(
    displayPath(byteString(path)),
    what,
    "ImageSource in docs/api.md has all that an entry may say.",
  );

/** @throws E_OPTION_VALUE for what has no path, E_PATH_INVALID for the rest */
export function checkImageSource(entry: ImageSource): void {
  if (typeof entry !== "object" || entry === null || typeof entry.path !== "string") {
    throw errors.optionValue("entries", "objects with a path", shownValue(entry));
  }
  const refuse = (what: string) => wrongEntry(entry, what);
  const kind = kindOf(entry);
  for (const [key, value] of Object.entries(entry)) {
    if (value === undefined) continue;
    if (!KEYS.includes(key)) {
      const meant = nearest(key, KEYS);
      throw refuse(`an entry has no ${key}${meant === undefined ? "" : `; ${meant} is meant?`}`);
    }
    const kinds = OF_KINDS[key];
    if (kinds !== undefined && !kinds.includes(kind)) {
      throw refuse(`${key} says something of a ${kinds.join(" or ")}, and this is a ${kind}`);
    }
  }
  for (const key of TEXTS) {
    if (entry[key] !== undefined && typeof entry[key] !== "string") {
      throw refuse(`its ${key} is no text`);
    }
  }
  const { contents, file, xattrs } = entry;
  if (contents !== undefined && file !== undefined) {
    throw refuse("contents and file both say what is in it");
  }
  if (contents !== undefined && !isBytes(contents)) {
    throw refuse("its contents are neither text nor bytes (Uint8Array)");
  }
  if (xattrs === undefined) return;
  if (typeof xattrs !== "object" || xattrs === null) throw refuse("its xattrs are no object");
  const [wrong] = Object.entries(xattrs).find(([, value]) => !isBytes(value)) ?? [];
  if (wrong !== undefined)
    throw refuse(`the value of ${JSON.stringify(wrong)} is no text or bytes`);
}

const isBytes = (value: unknown) => typeof value === "string" || value instanceof Uint8Array;
