/** What a caller chooses about an AppImage. */
import * as errors from "../errors.ts";
import { outputEndings } from "../generated/spec.ts";
import { checkCategories } from "./categories.ts";

/** A bundle, or one that is an AppImage too. */
const outputFormats = ["run", "appimage"] as const;

/** A bundle, or one that is an AppImage too. */
export type OutputFormat = (typeof outputFormats)[number];

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

/** The keys of `AppImageChoices`, for the check that all keys are known. */
export const appImageKeys: Record<keyof AppImageChoices, true> = {
  format: true,
  desktop: true,
  icon: true,
  categories: true,
  terminal: true,
  appId: true,
  summary: true,
  updateInfo: true,
  sign: true,
  signKey: true,
};

/** Choices that say nothing about a plain bundle, by their flags. */
const flags = {
  desktop: "--desktop",
  icon: "--icon",
  categories: "--categories",
  terminal: "--terminal",
  appId: "--app-id",
  summary: "--summary",
  updateInfo: "--update-info",
} as const;

/**
 * Checks the choices and finds the format.
 *
 * @throws E_OPTION_VALUE, E_OPTION_CONFLICT, E_DESKTOP_CATEGORY
 */
export function resolveFormat(choices: AppImageChoices, output: string): OutputFormat {
  const { format, categories, appId } = choices;
  const known = outputFormats.find((name) => name === format);
  if (format !== undefined && known === undefined) {
    throw errors.optionValue("--format", outputFormats.join(" or "), `"${format}"`);
  }
  const resolved = known ?? (output.endsWith(outputEndings.appImage) ? "appimage" : "run");
  if (resolved === "run") {
    for (const [key, flag] of Object.entries(flags)) {
      const value = choices[key as keyof typeof flags];
      if (value === undefined || value === false) continue;
      throw errors.optionConflict(`${flag} without --format appimage or an OUT in .AppImage`);
    }
  }
  if (categories !== undefined) checkCategories(categories, "--categories");
  if (appId !== undefined && !/^[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*){2,}$/.test(appId)) {
    const expected = "a reverse domain name of three parts or more, org.example.App";
    throw errors.optionValue("--app-id", expected, `"${appId}"`);
  }
  if (/[\p{Cc}]/u.test(choices.summary ?? "")) {
    throw errors.optionValue("--summary", "one line of text", JSON.stringify(choices.summary));
  }
  if (choices.signKey === "") {
    throw errors.optionValue("--sign", "the name of a key, or --sign alone", "nothing");
  }
  return resolved;
}
