/** What packing an archive takes, and the check of it at the edge. */
import * as errors from "../errors.ts";
import { archiveEndings } from "../generated/spec.ts";
import { checkNoNul } from "./build-options.ts";
import { type ImageChoices, imageKeys } from "./image-options.ts";

/** Squashfs image; zip; the image as base64 text. */
const formats = ["sfs", "zip", "b64"] as const;

/** Squashfs image; zip; the image as base64 text. */
export type ArchiveFormat = (typeof formats)[number];

/** What packing an archive takes. */
export interface PackOptions extends ImageChoices {
  /** Folder to pack. */
  input: string;
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

const keys: Record<keyof PackOptions, true> = {
  ...imageKeys,
  input: true,
  output: true,
  devices: true,
  format: true,
  shebang: true,
};

/** Options that say something about an image only; a zip file has no place for it. */
const imageOnly = {
  blockSize: "--block-size",
  devices: "--devices",
  keepOwners: "--keep-owners",
  threads: "--threads",
};

/** Longest first line that the kernel takes for an interpreter's, "#!" and newline not counted. */
const SHEBANG_MAX = 253;

/**
 * Checks the options and finds the format.
 *
 * @throws E_OPTION_UNKNOWN, E_OPTION_MISSING, E_OPTION_VALUE, E_OPTION_CONFLICT
 */
export function resolvePackOptions(options: PackOptions): ResolvedPackOptions {
  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(keys, key)) throw errors.optionUnknown(key, undefined);
  }
  if (!options.input) throw errors.optionMissing("input", "the folder to pack");
  if (!options.output) throw errors.optionMissing("output", "the file to write");
  checkNoNul("input", options.input);
  checkNoNul("output", options.output);
  const format = formatOf(options);
  if (options.shebang !== undefined) checkShebang(options.shebang, format);
  if (format === "zip") checkZip(options);
  return { ...options, format };
}

function formatOf({ format, output }: PackOptions): ArchiveFormat {
  if (format === undefined) {
    const found = archiveEndings.find(({ ending }) => output.endsWith(ending));
    if (found !== undefined) return found.format;
    const known = archiveEndings.map(({ ending }) => ending).join(", ");
    throw errors.optionMissing("--format FORMAT", `"${output}" ends in none of ${known}`);
  }
  const known = formats.find((name) => name === format);
  if (known === undefined) {
    throw errors.optionValue("--format", formats.join(", "), `"${format}"`);
  }
  return known;
}

function checkShebang(line: string, format: ArchiveFormat): void {
  if (format !== "b64") {
    throw errors.optionConflict(`--shebang goes with base64 text, not with ${format}`);
  }
  const size = Buffer.byteLength(line);
  if (!/^\/[^\0\n\r]*$/.test(line) || size > SHEBANG_MAX) {
    const expected = `the absolute path of an interpreter and its argument, in one line of at most ${SHEBANG_MAX} bytes`;
    throw errors.optionValue("--shebang", expected, `"${line}" (${size} bytes)`);
  }
}

function checkZip(options: PackOptions): void {
  for (const [key, flag] of Object.entries(imageOnly)) {
    const value = options[key as keyof typeof imageOnly];
    if (value === undefined || value === false) continue;
    throw errors.optionConflict(`${flag} says nothing about a zip file`);
  }
  const { compression, level } = options;
  if (compression === "zstd") {
    throw errors.optionValue("--compression", "gzip[:LEVEL] or none for a zip file", '"zstd"');
  }
  const known = level === undefined || (Number.isInteger(level) && level >= 1 && level <= 9);
  if (!known || (level !== undefined && compression !== "gzip")) {
    throw errors.optionValue("level", "1 to 9, with compression gzip", `${level}`);
  }
}
