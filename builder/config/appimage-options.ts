/** What a caller chooses about an AppImage. */
import * as errors from "../errors.ts";
import { type configKeys, outputEndings } from "../generated/spec.ts";
import { checkCategories } from "./categories.ts";

/** A bundle, or one that is an AppImage too. */
export type OutputFormat = (typeof configKeys.properties.format.enum)[number];

export interface AppImageChoices {
  /** What the file is. Default: "appimage" for an output that ends in .AppImage, else "run". */
  format?: OutputFormat | undefined;
  /** Desktop entry of the app. Default: the one in the folder, else one is made. */
  desktop?: string | undefined;
  /** PNG or SVG file. Default: the one that the desktop entry names, in the folder. */
  icon?: string | undefined;
  /** For the desktop entry that is made. Default: ["Utility"]. */
  categories?: readonly string[] | undefined;
  /** For the desktop entry that is made: the app runs in a terminal. Default false. */
  terminal?: boolean | undefined;
  /** Reverse domain name of the app; with one there is AppStream metadata. */
  appId?: string | undefined;
  /** What the app is, in one line, for the metadata. */
  summary?: string | undefined;
  /** Where newer versions are, or "guess". A `.zsync` file is then written beside the output. */
  updateInfo?: string | undefined;
  /** Sign with gpg, by its default key or by `signKey`. Default false. */
  sign?: boolean | undefined;
  /** Name of a key for gpg; implies `sign`. */
  signKey?: string | undefined;
}

/** Choices that say nothing about a plain bundle. */
const appImageOnly = [
  "desktop",
  "icon",
  "categories",
  "terminal",
  "appId",
  "summary",
  "updateInfo",
] as const satisfies (keyof AppImageChoices)[];

/**
 * Finds the format, and checks what has to do with it.
 *
 * @throws E_OPTION_CONFLICT, E_DESKTOP_CATEGORY
 */
export function resolveFormat(choices: AppImageChoices, output: string): OutputFormat {
  const { format = output.endsWith(outputEndings.appImage) ? "appimage" : "run", categories } =
    choices;
  if (format === "run") {
    for (const key of appImageOnly) {
      if (choices[key] === undefined || choices[key] === false) continue;
      throw errors.optionConflict((name) => {
        const how = `${name("format", "appimage")} or a name of the output in .AppImage`;
        return `${name(key)} without ${how}`;
      });
    }
  }
  if (categories !== undefined) checkCategories(categories);
  return format;
}
