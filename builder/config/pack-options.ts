/** What packing an archive takes, and the check of it at the edge. */
import * as errors from "../errors.ts";
import { archiveEndings, optionRules } from "../generated/spec.ts";
import type { ImageChoices } from "./image-options.ts";
import { checkImageChoices, checkOptions } from "./validate.ts";

/** Squashfs image; zip; the image as base64 text. */
export type ArchiveFormat = (typeof optionRules.pack.format.choices)[number];

/** What packing an archive takes. */
export interface PackOptions extends ImageChoices {
  /** Folder, tar archive (as it is, or compressed by gzip, zstd or xz), zip file or file with an image; "-": a tar archive on standard input. */
  input?: string | undefined;
  /** In place of `input`: file with what `dump` lists, line by line; "-": standard input. Its owners and times are kept. */
  fromDump?: string | undefined;
  /** With `fromDump`: folder with the contents, called by their SHA-256. */
  objects?: string | undefined;
  /** More of them, `PATH` or `PATH:/PLACE`: what is in them appears beside the first one's, or in that folder. */
  more?: readonly string[] | undefined;
  /** File to write. */
  output: string;
  /** Pack devices and fifos too, not into a zip file. Default false: they are an error. */
  devices?: boolean | undefined;
  /** What the archive is. Default: by the ending of `output`, `.sfs`, `.squashfs`, `.zip` or `.b64`. */
  format?: ArchiveFormat | undefined;
  /** b64: what follows `#!` in a first line of its own; the file is then executable. */
  shebang?: string | undefined;
}

export interface ResolvedPackOptions extends PackOptions {
  format: ArchiveFormat;
}

/** The types and the table name the same keys, or this does not compile. */
optionRules.pack satisfies Record<Exclude<keyof PackOptions, "onProgress" | "signal">, object>;

/** Options that say something about an image only; a zip file has no place for it. */
const imageOnly = [
  "variants",
  "blockSize",
  "devices",
  "keepOwners",
  "owner",
  "mknod",
  "store",
  "compress",
  "fragments",
  "tailPacking",
  "order",
  "exports",
  "threads",
] as const;

/**
 * Checks the options and finds the format.
 *
 * @throws E_OPTION_UNKNOWN, E_OPTION_MISSING, E_OPTION_VALUE, E_OPTION_CONFLICT
 */
export function resolvePackOptions(options: PackOptions): ResolvedPackOptions {
  if (options.fromDump !== undefined) checkDump(options);
  else if (options.objects !== undefined) {
    throw errors.optionConflict((name) => `${name("objects")} without ${name("fromDump")}`);
  } else if (!options.input) throw errors.optionMissing("input", "the folder to pack");
  if (!options.output) throw errors.optionMissing("output", "the file to write");
  checkOptions("pack", options, ["onProgress", "signal"]);
  const format = options.format ?? formatOf(options.output);
  if (options.shebang !== undefined && format !== "b64") {
    throw errors.optionConflict(
      (name) => `${name("shebang")} goes with base64 text, not with ${format}`,
    );
  }
  if (format === "zip") checkZip(options);
  else checkImageChoices(options);
  const kept =
    options.fromDump === undefined
      ? {}
      : { keepMtimes: true, keepOwners: options.owner === undefined };
  return { ...options, ...kept, format };
}

/**
 * A dump says all that is in the image, and whose it is.
 *
 * @throws E_OPTION_CONFLICT
 */
export function checkDump(options: Omit<PackOptions, "output" | "format" | "shebang">): void {
  const { input, more, exclude, excludeFrom, keepMtimes, keepOwners } = options;
  const others = { input, more, exclude, excludeFrom, keepMtimes, keepOwners };
  for (const [key, value] of Object.entries(others)) {
    if (value === undefined || value === false || (Array.isArray(value) && value.length === 0))
      continue;
    throw errors.optionConflict((name) => `${name(key)}, while ${name("fromDump")} says all of it`);
  }
}

function formatOf(output: string): ArchiveFormat {
  const found = archiveEndings.find(({ ending }) => output.endsWith(ending));
  if (found !== undefined) return found.format;
  const known = archiveEndings.map(({ ending }) => ending).join(", ");
  throw errors.optionMissing("format", `"${output}" ends in none of ${known}`);
}

/** What is as good as not said. */
const usual = (key: (typeof imageOnly)[number]) => key === "fragments" || key === "tailPacking";

function checkZip(options: PackOptions): void {
  for (const key of imageOnly) {
    if (options[key] === undefined || options[key] === usual(key)) continue;
    throw errors.optionConflict((name) => `${name(key)} says nothing about a zip file`);
  }
  const { compression, level } = options;
  if (compression !== undefined && compression !== "gzip" && compression !== "none") {
    throw errors.optionValue("compression", "gzip or none for a zip file", `"${compression}"`);
  }
  if (compression === undefined && level !== undefined) {
    throw errors.optionConflict(
      (name) => `${name("level")} without ${name("compression", "gzip")}`,
    );
  }
  checkImageChoices({ compression: compression ?? "gzip", level });
}
