/**
 * Every way in which the builder fails: one factory per failure, sorted by code.
 *
 * Codes, hints and exit statuses stand in scripts/spec/errors.json; docs/errors.md lists them.
 * Paths in here are what a person should read: names inside a tree go through `displayPath` first.
 */
import os from "node:os";
import {
  type ErrorCode,
  errorCatalogue,
  machines,
  optionRules,
  otherMachines,
} from "./generated/spec.ts";

export type { ErrorCode } from "./generated/spec.ts";

/**
 * How an option is called where a failure is read: `blockSize` in the library, `--block-size` on a
 * command line. With a value: `node: "24"` and `--node 24`.
 */
export type OptionNames = (key: string, value?: string | boolean) => string;

/** A text of a failure. One that names options says how it reads for any way to call them. */
export type FailureText = string | ((name: OptionNames) => string);

const keyNames: OptionNames = (key, value) =>
  value === undefined ? key : `${key}: ${JSON.stringify(value)}`;

const worded = (text: FailureText, name: OptionNames) =>
  typeof text === "string" ? text : text(name);

/** What a failure may say beyond its code and message. */
export interface ErrorDetails {
  /** File or folder at fault. */
  path?: string | undefined;
  expected?: FailureText | undefined;
  actual?: string | undefined;
  /** What to do next, when that differs from the code's general hint. */
  hint?: FailureText | undefined;
  cause?: unknown;
}

/** A failure as one line: `PATH: what happened: expected X, found Y`. */
export function sentence(
  what: string,
  details: { path: string | undefined; expected: string | undefined; actual: string | undefined },
): string {
  const { path, expected, actual } = details;
  const compared = [
    ...(expected === undefined ? [] : [`expected ${expected}`]),
    ...(actual === undefined ? [] : [`found ${actual}`]),
  ].join(", ");
  return [...(path === undefined ? [] : [path]), what, ...(compared ? [compared] : [])].join(": ");
}

/**
 * A failure with a stable code. `message` says it in one line, without the hint: the path, what
 * happened, what was expected and what was found. Options have the names of the library's keys in it;
 * `wordsFor` gives the parts with other names.
 */
export class BundleError extends Error {
  /** Stays the same from version to version. */
  readonly code: ErrorCode;
  /** File or folder at fault. */
  readonly path?: string;
  /** What would have been right. */
  readonly expected?: string;
  /** What was there instead. */
  readonly actual?: string;
  /** What to do next. */
  readonly hint: string;
  readonly #texts: { message: FailureText; expected: FailureText | undefined; hint: FailureText };

  constructor(code: ErrorCode, message: FailureText, details: ErrorDetails = {}) {
    const cause = details.cause === undefined ? undefined : { cause: details.cause };
    const { path, actual } = details;
    const expected = details.expected && worded(details.expected, keyNames);
    super(sentence(worded(message, keyNames), { path, expected, actual }), cause);
    // Nothing is wrong with the path then, and what the code advises would not help.
    const isLimit = lacksDescriptors(details.cause);
    const hint = isLimit ? hintOf("E_LIMIT") : (details.hint ?? hintOf(code));
    this.#texts = { message, expected: details.expected, hint };
    this.name = "BundleError";
    this.code = isLimit ? "E_LIMIT" : code;
    this.hint = worded(hint, keyNames);
    if (details.path !== undefined) this.path = details.path;
    if (details.expected !== undefined) this.expected = worded(details.expected, keyNames);
    if (details.actual !== undefined) this.actual = details.actual;
  }

  /** Its texts with the names that options have elsewhere; `message` is what happened, and no more. */
  wordsFor(name: OptionNames): { message: string; expected: string | undefined; hint: string } {
    const { message, expected, hint } = this.#texts;
    return {
      message: worded(message, name),
      expected: expected === undefined ? undefined : worded(expected, name),
      hint: worded(hint, name),
    };
  }

  /** The same failure of another path. */
  withPath(path: string): BundleError {
    const { message, expected, hint } = this.#texts;
    const { actual, cause } = this;
    return new BundleError(this.code, message, { path, expected, actual, hint, cause });
  }

  /** The same failure with other names in its texts: of a file that stands in for the one at fault. */
  renamed(rename: (text: string) => string): BundleError {
    const { message, expected, hint } = this.#texts;
    const { path, actual, cause } = this;
    const within = (text: FailureText | undefined) =>
      text === undefined ? undefined : (name: OptionNames) => rename(worded(text, name));
    return new BundleError(this.code, (name) => rename(worded(message, name)), {
      path: path && rename(path),
      expected: within(expected),
      actual: actual && rename(actual),
      hint: within(hint),
      cause,
    });
  }

  /** Exit status that `bundle` ends with: 1, or 2 for a wrong command line. */
  get exitStatus(): number {
    return errorCatalogue[this.code].exit;
  }
}

type Named = Readonly<Record<string, { readonly type: string; readonly flag?: string }>>;

/** What a flag says in the library: a key, and the value of one that is true or false. */
function keyOfFlag(wanted: string): [string, boolean | undefined] | undefined {
  const tables: Readonly<Record<string, Named>> = optionRules;
  for (const [key, { type, flag }] of Object.values(tables).flatMap((one) => Object.entries(one))) {
    if (flag === wanted) return [key, type === "boolean" ? !flag.startsWith("--no-") : undefined];
  }
  return undefined;
}

/** The catalogue's hint. It is written for people at a command line, with flags. */
function hintOf(code: ErrorCode): FailureText {
  const { hint } = errorCatalogue[code];
  // What stands in `...` is a command, whoever reads it.
  return (name) =>
    hint.replace(/`[^`]*`|--[a-z-]+/g, (found) => {
      const option = keyOfFlag(found);
      return option === undefined ? found : name(...option);
    });
}

/** errno's words for the failures that people meet, else what Node says. */
export function systemReason(cause: unknown): string {
  const words: Record<string, string> = {
    EACCES: "permission denied",
    EBUSY: "it is in use",
    EDQUOT: "the disk quota is used up",
    EFBIG: "the file system, or a limit (ulimit -f), allows no file of that size",
    EIO: "input/output error",
    EISDIR: "it is a directory",
    ELOOP: "too many symbolic links",
    EMFILE: "too many open files (ulimit -n)",
    ENAMETOOLONG: "the name is too long",
    ENOENT: "it does not exist",
    ENOMEM: "out of memory",
    ENOSPC: "no space left",
    ENOTDIR: "part of the path is not a directory",
    EPERM: "operation not permitted",
    ESTALE: "the file server does not know it any more",
    EROFS: "the file system is read-only",
    EUCLEAN: "the file system is damaged",
    ETXTBSY: "it is being executed",
  };
  const code = errnoCode(cause);
  if (code !== undefined && words[code] !== undefined) return words[code];
  return cause instanceof Error ? cause.message : String(cause);
}

/** Whether a failure, or what caused it, is that this process may open no more files. */
function lacksDescriptors(cause: unknown): boolean {
  if (errnoCode(cause) === "EMFILE") return true;
  return cause instanceof Error && cause.cause !== undefined && lacksDescriptors(cause.cause);
}

/** "ENOENT" and the like, or undefined where the cause is not a failed system call. */
export function errnoCode(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !("code" in cause)) return undefined;
  const [, unknown] = /^Unknown system error -(\d+)$/.exec(String(cause.code)) ?? [];
  if (unknown !== undefined) return errnoName(Number(unknown));
  // Node's own codes (ERR_...) and those of this file have an underscore, names of errno have none.
  return typeof cause.code === "string" && /^E[A-Z0-9]+$/.test(cause.code) ? cause.code : undefined;
}

/** What libuv has no name for: those of network file systems, quotas and damaged disks are among them. */
export function errnoName(errno: number): string {
  const more: Record<number, string> = { 117: "EUCLEAN", 121: "EREMOTEIO", 123: "ENOMEDIUM" };
  const known = Object.entries(os.constants.errno).find(([, number]) => number === errno);
  return known?.[0] ?? more[errno] ?? `E${errno}`;
}

/** The addon file is missing, or was made for another machine or libc. */
export function addon(path: string, cause: unknown): BundleError {
  // Behind its first line Node lists the files that asked for it: all of them are ours.
  const [reason = ""] = systemReason(cause).split("\n");
  const isMissing = /^Cannot find module /.test(reason);
  const why = isMissing ? "it does not exist" : reason.replace(`${path}: `, "");
  return new BundleError("E_ADDON", `the native addon cannot be loaded: ${why}`, {
    path,
    expected: `an addon for linux-${process.arch}, glibc 2.28 or newer`,
    cause,
  });
}

/** @param machine of the program @param arch of the AppImage */
export function appDirArch(program: string, arch: string, machine: string): BundleError {
  return new BundleError("E_APPDIR_ARCH", "every program in the folder is for another machine", {
    path: program,
    expected: arch,
    actual: machine,
    hint: machineHint(arch, machine, (asked) => `For an AppImage of such programs: ${asked}`),
  });
}

/** @param path of AppRun or of the program it starts */
export function appRunArch(path: string, arch: string, machine: string): BundleError {
  return new BundleError("E_APPRUN_ARCH", "the program that starts is for another machine", {
    path,
    expected: arch,
    actual: machine,
    hint: machineHint(arch, machine, (asked) => `For an AppImage of such programs: ${asked}`),
  });
}

export function appRunMissing(dir: string, what: string): BundleError {
  return new BundleError("E_APPRUN_MISSING", what, {
    path: dir,
    expected: "an executable file AppRun in the root of the AppDir",
  });
}

export function appRunNotExecutable(dir: string, mode: number): BundleError {
  return new BundleError("E_APPRUN_NOT_EXECUTABLE", "AppRun may not run", {
    path: dir,
    expected: "a file with an executable bit",
    actual: `mode ${(mode & 0o7777).toString(8).padStart(4, "0")}`,
  });
}

export function appstreamInvalid(path: string, what: string): BundleError {
  return new BundleError("E_APPSTREAM_INVALID", `the AppStream metadata is refused: ${what}`, {
    path,
  });
}

/** @param actual what the file is instead */
/** @param what is wrong with it, in words */
/** @param kind "tar archive" or "zip file" */
export function archiveCorrupt(
  path: string,
  kind: string,
  what: string,
  cause?: unknown,
): BundleError {
  return new BundleError("E_ARCHIVE_CORRUPT", `is no whole ${kind}: ${what}`, { path, cause });
}

/** @param codec that we do not have */
export function archiveCodec(path: string, codec: string): BundleError {
  return new BundleError("E_ARCHIVE_FORMAT", "is compressed in a way that is not known here", {
    path,
    expected: "a tar archive, or one that gzip, zstd or xz compressed",
    actual: codec,
    hint: `Have it compressed by one of these, or not at all: \`${codec} -dc FILE > FILE.tar\` undoes it.`,
  });
}

export function archiveFormat(path: string, actual: string): BundleError {
  const hint: FailureText = (name) =>
    `${name("archive")} takes a squashfs image, as \`bundle pack\` and mksquashfs make it.`;
  const expected = "a squashfs image";
  return new BundleError("E_ARCHIVE_FORMAT", "cannot be appended", {
    path,
    expected,
    actual,
    hint,
  });
}

/** @param actual the entry of a zip file that nothing here can read, and why */
export function archiveMethod(path: string, actual: string): BundleError {
  return new BundleError("E_ARCHIVE_FORMAT", "holds an entry that cannot be read", {
    path,
    expected: "files that are stored or deflated, without a password",
    actual,
    hint: "Unpack it by the program that made it, and give the folder.",
  });
}

export function archiveUnsafe(path: string, what: string): BundleError {
  return new BundleError("E_ARCHIVE_UNSAFE", what, { path });
}

/** @param expected what the command takes, as in its usage line */
export function argument(message: string, expected: string, hint?: string): BundleError {
  return new BundleError("E_ARGUMENT", message, { expected, hint });
}

export function commandUnknown(name: string, nearest: string | undefined): BundleError {
  const hint = nearest === undefined ? undefined : `Did you mean \`bundle ${nearest}\`?`;
  return new BundleError("E_COMMAND_UNKNOWN", `there is no command ${quote(name)}`, { hint });
}

/** A configuration file that cannot be read or run, or holds something else than options. */
export function configInvalid(path: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_CONFIG_INVALID", what, { ...details, path });
}

export function configKey(path: string, key: string, nearest: string | undefined): BundleError {
  const hint = nearest === undefined ? undefined : `Did you mean ${quote(nearest)}?`;
  return new BundleError("E_CONFIG_KEY", `there is no option ${quote(key)}`, { path, hint });
}

/** @param files names of the desktop entries */
export function desktopAmbiguous(dir: string, files: readonly string[]): BundleError {
  return new BundleError("E_DESKTOP_AMBIGUOUS", `there are ${files.length} desktop entries`, {
    path: dir,
    expected: "exactly one",
    actual: files.join(", "),
  });
}

/** @param file the desktop entry; undefined for the option with the categories */
export function desktopCategory(
  file: string | undefined,
  expected: string,
  actual: string,
): BundleError {
  const message: FailureText =
    file === undefined
      ? (name) => `${name("categories")}: these are not the categories of a menu`
      : "its categories are not those of a menu";
  return new BundleError("E_DESKTOP_CATEGORY", message, {
    path: file,
    expected,
    actual: quote(actual),
  });
}

export function desktopInvalid(file: string, what: string): BundleError {
  return new BundleError("E_DESKTOP_INVALID", `this is no valid desktop entry: ${what}`, {
    path: file,
  });
}

export function desktopKey(
  file: string,
  key: string,
  expected: string,
  actual: string,
): BundleError {
  return new BundleError("E_DESKTOP_KEY", `its key ${key} is missing or wrong`, {
    path: file,
    expected,
    actual,
  });
}

/** @param words what the runtime said */
export function doctor(path: string, words: string): BundleError {
  return new BundleError("E_DOCTOR", `nothing could be tried: ${words || "no word of it"}`, {
    path,
  });
}

/** @param at what a step was about @param words what happened */
export function doctorFix(at: string, words: string, cause?: unknown): BundleError {
  return new BundleError("E_DOCTOR_FIX", words, { path: at, cause });
}

export function doctorPath(path: string): BundleError {
  return new BundleError("E_DOCTOR_PATH", "control characters cannot stand in a profile", { path });
}

export function doctorRoot(uid: number): BundleError {
  return new BundleError("E_DOCTOR_ROOT", "only root can do this", { actual: `uid ${uid}` });
}

export function doctorUnasked(): BundleError {
  return new BundleError("E_DOCTOR_UNASKED", "nobody is there to be asked: nothing was changed", {
    expected: "a terminal",
  });
}

export function doctorUser(name: string): BundleError {
  return new BundleError("E_DOCTOR_USER", `"${name}" is no ordinary user of /etc/passwd`);
}

/** What to do about a program for `actual`: there is not a runtime for every machine. */
function machineHint(
  expected: string,
  actual: string,
  build: (arch: string) => string,
): FailureText {
  const pack = `pack a program for ${expected}`;
  const isBuiltFor = machines.some(({ name }) => name === actual);
  if (isBuiltFor) return (name) => `${build(name("arch", actual))}, or ${pack}.`;
  return `${noOtherMachine(actual)}: ${pack}.`;
}

/** What there is a runtime for, and that it is not for this one. */
function noOtherMachine(wanted: string): string {
  const names = new Intl.ListFormat("en").format(machines.map(({ name }) => name));
  const known: readonly { name: string; aliases: readonly string[]; summary: string }[] =
    otherMachines;
  const other = known.find(({ name, aliases }) => name === wanted || aliases.includes(wanted));
  const not = other === undefined ? "" : `, none for ${other.summary} (${wanted})`;
  return `There are bundles for ${names} alone${not}`;
}

/** Options that name a machine; `--target` is of the command line alone. */
const MACHINE_OPTIONS = ["arch", "--target"];

export function dumpInvalid(path: string, what: string): BundleError {
  return new BundleError("E_DUMP_INVALID", what, { path });
}

/** @param what is wrong with the file, as a predicate */
export function dumpObject(path: string, what: string): BundleError {
  return new BundleError("E_DUMP_OBJECT", what, { path });
}

/** @param expected machine of the bundle @param actual machine of its program */
export function elfMachine(path: string, expected: string, actual: string): BundleError {
  return new BundleError("E_ELF_MACHINE", "the program is for another machine than the bundle", {
    path,
    expected,
    actual,
    hint: machineHint(expected, actual, (arch) => `Build with ${arch}`),
  });
}

export function elfMalformed(path: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_ELF_MALFORMED", what, { ...details, path });
}

/**
 * @param payload bytes behind the program @param room what there is of it @param wanted bytes
 */
export function elfPayload(
  path: string,
  payload: number,
  room: string,
  wanted: number,
): BundleError {
  return new BundleError(
    "E_ELF_PAYLOAD",
    `${payload} bytes are appended behind this program, so it cannot be made longer to give it a search path`,
    { path, expected: `room for ${wanted} bytes inside of it`, actual: room },
  );
}

export function elfUnsupported(
  path: string,
  what: string,
  details: ErrorDetails = {},
): BundleError {
  return new BundleError("E_ELF_UNSUPPORTED", what, { ...details, path });
}

export function engineExists(path: string): BundleError {
  return new BundleError("E_ENGINE_EXISTS", "is there already", { path });
}

/** @param what as a predicate */
export function engineInput(path: string, what: string, hint?: string): BundleError {
  return new BundleError("E_ENGINE_INPUT", what, { path, hint });
}

/** @param candidates paths below DIR that could be meant */
export function entryAmbiguous(dir: string, candidates: readonly string[]): BundleError {
  const shown = candidates.slice(0, 10).join(", ");
  const rest = candidates.length > 10 ? ` and ${candidates.length - 10} more` : "";
  return new BundleError(
    "E_ENTRY_AMBIGUOUS",
    `${candidates.length} programs could be the entrypoint: ${shown}${rest}`,
    { path: dir, hint: (name) => `Say which one, for example: ${name("entry", candidates[0])}` },
  );
}

export function entryMissing(dir: string, entry: string, hint?: FailureText): BundleError {
  return new BundleError("E_ENTRY_MISSING", `the entrypoint ${quote(entry)} does not exist`, {
    path: dir,
    hint,
  });
}

/** Files that could be the entrypoint, the likeliest first. */
export interface EntryGuesses {
  startable: readonly string[];
  /** Those that lack an executable bit alone. */
  mute: readonly string[];
}

/** What to write for the likeliest of some files; undefined where there is none. */
export function entryHint({ startable, mute }: EntryGuesses): FailureText | undefined {
  const [first, ...others] = startable;
  const [silent] = mute;
  if (first !== undefined) {
    const rest = others.length === 0 ? "" : ` (or ${others.join(", ")})`;
    return (name) => `Did you mean ${name("entry", first)}${rest}?`;
  }
  return silent === undefined
    ? undefined
    : (name) =>
        `${silent} may not run: chmod +x it, and name it with ${name("entry", silent)} if that is not enough.`;
}

export function entryNone(dir: string, name: string, guesses: EntryGuesses): BundleError {
  return new BundleError("E_ENTRY_NONE", "no entrypoint was given and none can be found", {
    path: dir,
    expected: `AppRun, bin/${name}, or one executable file in the folder or in its bin/`,
    hint: entryHint(guesses),
  });
}

export function entryNotExecutable(dir: string, entry: string, mode: number): BundleError {
  return new BundleError("E_ENTRY_NOT_EXECUTABLE", `the entrypoint ${quote(entry)} may not run`, {
    path: dir,
    expected: "a file with an executable bit",
    actual: `mode ${(mode & 0o7777).toString(8).padStart(4, "0")}`,
    hint: (name) =>
      `chmod +x the file and build again, or change it in the image alone: ${name("chmod", `${entry}=+x`)}`,
  });
}

/** @param kind what it is instead: "directory", "fifo", ... */
export function entryNotFile(dir: string, entry: string, kind: string): BundleError {
  return new BundleError("E_ENTRY_NOT_FILE", `the entrypoint ${quote(entry)} is not a file`, {
    path: dir,
    expected: "a regular file",
    actual: `a ${kind}`,
  });
}

/** @param way how it leaves the folder, for example `through ".."` */
export function entryOutside(dir: string, entry: string, way: string): BundleError {
  return new BundleError(
    "E_ENTRY_OUTSIDE",
    `the entrypoint ${quote(entry)} leads out of the folder ${way}`,
    { path: dir },
  );
}

/** @param what as a predicate */
export function exportInput(path: string, what: string): BundleError {
  return new BundleError("E_EXPORT_INPUT", what, { path });
}

/** @param path in the image @param asks who needs it */
export function exportLibc(path: string, asks: string): BundleError {
  return new BundleError("E_EXPORT_LIBC", `the image would not have it, and ${asks}`, { path });
}

export function exportTarget(what: string, actual: string): BundleError {
  return new BundleError("E_EXPORT_TARGET", what, { actual });
}

export function extractExists(path: string, actual: string): BundleError {
  return new BundleError("E_EXTRACT_EXISTS", "the destination cannot be used", {
    path,
    expected: "a new or empty directory",
    actual,
  });
}

export function extractFailed(path: string, what: string, cause?: unknown): BundleError {
  return new BundleError("E_EXTRACT_FAILED", what, { path, cause });
}

/** @param what for example "its size changed" or "it disappeared" */
export function fileChanged(path: string, what: string): BundleError {
  return new BundleError("E_FILE_CHANGED", `${what} while it was read`, { path });
}

/** @param kind "socket", "block device", "character device" or "fifo" */
export function fileKind(path: string, kind: string, hint?: FailureText): BundleError {
  return new BundleError("E_FILE_KIND", `a ${kind} is not packed`, { path, hint });
}

/** @param hint for a file that is no part of what is packed */
export function fileUnreadable(path: string, cause: unknown, hint?: string): BundleError {
  return new BundleError("E_FILE_UNREADABLE", `cannot be read: ${systemReason(cause)}`, {
    path,
    cause,
    hint: hint ?? checkPath(cause),
  });
}

/** What to do about a file that is not there, whose content cannot be wrong. */
function checkPath(cause: unknown): string | undefined {
  return errnoCode(cause) === "ENOENT" ? "Check the path." : undefined;
}

/** For what goes wrong while a file is read: what the system says becomes `fileUnreadable`. */
export function readingFailed(path: string): (thrown: unknown) => never {
  return (thrown) => {
    throw errnoCode(thrown) === undefined ? thrown : fileUnreadable(path, thrown);
  };
}

/** @param names that no module is for @param folder of the modules */
export function gconv(names: readonly string[], folder: string): BundleError {
  const what = `no module converts ${names.map(quote).join(", ")}`;
  return new BundleError("E_GCONV", what, {
    path: folder,
    expected: (name) => `names of its gconv-modules for ${name("gconv")}`,
  });
}

export function gpgMissing(): BundleError {
  return new BundleError("E_GPG_MISSING", "the program gpg is not installed, or not in PATH");
}

/** @param what why it is no icon */
export function iconFormat(path: string, what: string, actual: string): BundleError {
  return new BundleError("E_ICON_FORMAT", `the icon cannot be used: ${what}`, {
    path,
    expected: "a PNG or SVG image",
    actual,
  });
}

/** @param name as the desktop entry's Icon says it */
export function iconMissing(dir: string, name: string): BundleError {
  return new BundleError("E_ICON_MISSING", `the icon ${quote(name)} is not there`, {
    path: dir,
    expected: `${name}.png, ${name}.svg or ${name}.xpm in the root, or in usr/share/icons`,
  });
}

export function iconRenderer(cause: unknown): BundleError {
  return new BundleError("E_ICON_RENDERER", `icons cannot be drawn: ${systemReason(cause)}`, {
    expected: "@resvg/resvg-js with its binary for this machine",
    cause,
  });
}

/** @param place file and line */
export function ignoreRule(place: string, rule: string): BundleError {
  const what = "a set of characters in the rule is none";
  const shown = rule.length > 80 ? `${rule.slice(0, 80)}...` : rule;
  return new BundleError("E_IGNORE_RULE", what, { path: place, actual: JSON.stringify(shown) });
}

export function imageCorrupt(path: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_IMAGE_CORRUPT", what, { ...details, path });
}

/** @param what which limit, with both numbers */
export function imageLimit(path: string, what: string): BundleError {
  return new BundleError("E_IMAGE_LIMIT", what, { path });
}

/** @param offset where the image should start, bytes */
export function imageMissing(
  path: string,
  offset: number,
  details: ErrorDetails = {},
): BundleError {
  return new BundleError("E_IMAGE_MISSING", `there is no squashfs image at byte ${offset}`, {
    ...details,
    path,
  });
}

/** The end is missing, and only the reader met it. */
export function imageCut(path: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_IMAGE_TRUNCATED", what, { ...details, path });
}

/** @param expected bytes that the file should have @param actual bytes that it has */
export function imageTruncated(path: string, expected: number, actual: number): BundleError {
  return new BundleError("E_IMAGE_TRUNCATED", "the image is cut short", {
    path,
    expected: `a file of ${expected} bytes`,
    actual: `${actual} bytes`,
  });
}

export function imageUnsupported(
  path: string,
  what: string,
  details: ErrorDetails = {},
): BundleError {
  return new BundleError("E_IMAGE_UNSUPPORTED", what, { ...details, path });
}

/** @param path in the image, as it is shown */
export function inputConflict(path: string, expected: string, actual: string): BundleError {
  return new BundleError("E_INPUT_CONFLICT", "two of the inputs have something of this name", {
    path,
    expected,
    actual,
  });
}

export function inputEmpty(path: string): BundleError {
  return new BundleError("E_INPUT_EMPTY", "there is nothing to pack", { path });
}

/**
 * @param isLink whether a link stands there, which leads to nothing
 * @param meant what may have been meant, which is no path
 */
export function inputMissing(
  path: string,
  cause?: unknown,
  isLink = false,
  meant?: string,
): BundleError {
  const what = isLink ? "is a symbolic link that leads to nothing" : "does not exist";
  const hint = meant === undefined ? undefined : `Did you mean ${quote(meant)}?`;
  return new BundleError("E_INPUT_MISSING", what, { path, cause, ...(hint && { hint }) });
}

/** @param actual what it is instead */
export function inputNotDirectory(
  path: string,
  actual: string,
  expected = "a directory",
): BundleError {
  return new BundleError("E_INPUT_NOT_DIRECTORY", "cannot be packed", { path, expected, actual });
}

/** Something that cannot happen did. The stack of `cause` is what a report needs. */
export function internal(cause: unknown): BundleError {
  const what = cause instanceof Error ? cause.message : String(cause);
  return new BundleError("E_INTERNAL", `unexpected: ${what}`, { cause });
}

/**
 * The runner would refuse at start what is to be recorded; `code` is what it would say then.
 *
 * @param what starts with the argument at fault
 */
export function invocation(
  code:
    | "E_ARCHIVE_NAME"
    | "E_ARCHIVE_OPEN"
    | "E_MAP_INVALID"
    | "E_MAP_OVERLAP"
    | "E_MAP_RESERVED"
    | "E_MAP_SOURCE"
    | "E_MOUNT_OPTION"
    | "E_USAGE",
  what: string,
  hint?: string,
): BundleError {
  return new BundleError(code, `in the invocation, ${what}`, { hint });
}

/** @param transport what its name begins with where the image is meant */
export function containerArchive(path: string, transport: string): BundleError {
  return new BundleError("E_KIND_UNKNOWN", "this is an archive of container images", {
    path,
    hint: `Write ${transport}:FILE: its layers become one root directory.`,
  });
}

/** No kind of app takes a file like this one. */
export function kindUnknown(path: string): BundleError {
  return new BundleError("E_KIND_UNKNOWN", "nothing here can start this file", {
    path,
    expected: "a folder, a tar or zip archive, or a file that is an ELF program or starts with #!",
  });
}

/** What a layer of a container image may have wrong with it. */
export function layer(
  code: "E_LAYER_CORRUPT" | "E_LAYER_LIMIT" | "E_LAYER_UNSAFE",
  path: string,
  what: string,
  details: Omit<ErrorDetails, "path"> = {},
): BundleError {
  return new BundleError(code, what, { ...details, path });
}

/** @param folder that the libc is in @param names that its dynamic linker could have */
export function libcLoader(folder: string, names: readonly string[]): BundleError {
  return new BundleError("E_LIBC_LOADER", "the dynamic linker of this libc is not beside it", {
    path: folder,
    expected: [...new Set(names)].join(" or "),
    actual: "nothing there for this architecture",
  });
}

/** @param expected machine of the bundle @param actual machine of the libc */
export function libcMachine(path: string, expected: string, actual: string): BundleError {
  const what = "this libc is for another machine than the bundle";
  return new BundleError("E_LIBC_MACHINE", what, { path, expected, actual });
}

/** @param looked dynamic linkers that were looked for */
export function libcMissing(
  kind: string,
  arch: string,
  sysroot: string,
  looked: readonly string[],
): BundleError {
  return new BundleError("E_LIBC_MISSING", `there is no ${kind} for ${arch} to pack`, {
    path: sysroot === "" ? undefined : sysroot,
    expected: `${looked.join(" or ")}, or libc.so.6 in a folder of the system`,
    actual: "nothing there for this architecture",
  });
}

/** @param why why a program cannot start by a dynamic linker of its own */
export function libcProgram(path: string, why: string): BundleError {
  return new BundleError("E_LIBC_PROGRAM", `the program cannot start with a packed libc: ${why}`, {
    path,
  });
}

/** @param what the part that is not as it should be */
export function libcUnknown(path: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_LIBC_UNKNOWN", what, { ...details, path });
}

/** @param version that the program asks for @param has version of the libc in `folder` */
export function libcVersion(
  path: string,
  version: string,
  has: string,
  folder: string,
): BundleError {
  return new BundleError("E_LIBC_VERSION", "the libc that is to be packed is older than this", {
    path,
    expected: version,
    actual: `glibc ${has} in ${folder}`,
  });
}

/** @param reason why it is left to the target */
export function libraryHost(name: string, reason: string): BundleError {
  return new BundleError("E_LIBRARY_HOST", `${name} cannot be packed: ${reason}`);
}

/**
 * @param neededBy the program or library that asks for it @param looked where it was looked for
 * @param others more that are missing, each with who needs it
 */
export function libraryMissing(
  name: string,
  neededBy: FailureText,
  looked: string,
  others: readonly string[] = [],
): BundleError {
  const more = others.length > 0 ? `; missing too: ${others.join(", ")}` : "";
  return new BundleError("E_LIBRARY_MISSING", `a library is not on this machine${more}`, {
    path: name,
    expected: (option) => `it for ${worded(neededBy, option)} in ${looked}`,
    actual: "nothing there for this architecture",
  });
}

/** @param need descriptors that must be free @param limit of the process @param open how many it has */
export function limit(need: number, limit: number, open: number): BundleError {
  const what = "this process may open too few files (ulimit -n)";
  return new BundleError("E_LIMIT", what, {
    expected: `a limit of ${open + need} or more`,
    actual: `${limit}, and ${open} are open`,
    hint: "Raise it in the shell that starts this (`ulimit -n 1024`); above the hard limit (`ulimit -Hn`) only root can.",
  });
}

/** @param words of a program that was started for the build */
export function limitOfTool(words: string): BundleError {
  return new BundleError("E_LIMIT", `${words} (ulimit -n)`);
}

export function manifestLimit(what: string, expected: string, actual: string): BundleError {
  return new BundleError("E_MANIFEST_LIMIT", what, { expected, actual });
}

export function manifestMalformed(
  path: string,
  what: string,
  details: ErrorDetails = {},
): BundleError {
  return new BundleError("E_MANIFEST_MALFORMED", `the manifest is damaged: ${what}`, {
    ...details,
    path,
  });
}

export function manifestVersion(path: string, expected: string, actual: string): BundleError {
  return new BundleError("E_MANIFEST_VERSION", "the manifest is not of a known version", {
    path,
    expected,
    actual,
  });
}

/** @param text of the map, `DIR=PATH` @param what is wrong with it */
export function map(
  code: "E_MAP_INVALID" | "E_MAP_OVERLAP" | "E_MAP_RESERVED",
  text: string,
  what: string,
): BundleError {
  return new BundleError(code, (name) => `${name("maps")} ${text}: ${what}`);
}

/** A map whose folder the image has not. @param found what is there in its place */
export function mapSource(text: string, folder: string, found: string): BundleError {
  return new BundleError("E_MAP_SOURCE", (name) => `${name("maps")} ${text}: ${folder} ${found}`, {
    expected: "a folder of the image",
  });
}

/** What both say of the same thing. */
const runtimeCodes = [
  "E_ARCHIVE_FORMAT",
  "E_ARCHIVE_OPEN",
  "E_FUSE_OPTION",
  "E_IMAGE_CORRUPT",
  "E_IMAGE_TRUNCATED",
  "E_IMAGE_UNSUPPORTED",
  "E_MOUNT_OPTION",
  "E_MOUNT_POINT",
  "E_OUT_OF_MEMORY",
] as const satisfies ErrorCode[];

/**
 * What the runtime said instead of mounting: its own code where that is one of ours, its words and
 * its hint.
 *
 * @param stderr `fuselage: [CODE] WORDS` and the hint on a line of its own
 * @param known what to do, where it is known better than the runtime knows it
 */
export function mountRefused(path: string, stderr: string, known?: string): BundleError {
  const [, code = "", words = "", hint] =
    /^fuselage: \[(E_[A-Z_]+)\] (.*)\n {2}(.*)\n$/s.exec(stderr) ?? [];
  const same = runtimeCodes.find((known) => known === code);
  if (same !== undefined) return new BundleError(same, words, { hint });
  if (words === "") {
    const what = `cannot be mounted: ${stderr || "the runtime said nothing"}`;
    return new BundleError("E_MOUNT_REFUSED", what, { path });
  }
  return new BundleError("E_MOUNT_REFUSED", words.replaceAll("\n  ", "; "), {
    hint: known ?? hint,
  });
}

/** @param shown what is missing, each with its code */
export function notClosed(path: string, shown: readonly string[]): BundleError {
  const things = shown.length === 1 ? "one thing that is" : `${shown.length} things that are`;
  const message = `it names ${things} neither in it nor on every target: ${shown.join("; ")}`;
  return new BundleError("E_NOT_CLOSED", message, { path });
}

/** @param difference the first one @param causes what was not the same in the two builds */
export function notReproducible(
  path: string,
  difference: string,
  causes: readonly string[],
): BundleError {
  const message = `built again it becomes another file, by its ${causes.join(", ")}`;
  return new BundleError(
    "E_NOT_REPRODUCIBLE",
    `${message}; the first difference is ${difference}`,
    { path },
  );
}

/** @param type media type or artifact type of what is there */
export function ociArtifact(path: string, type: string): BundleError {
  return new BundleError("E_OCI_ARTIFACT", "is no container image", {
    path,
    expected: "a manifest with the config and the layers of an image",
    actual: type,
  });
}

export function ociDigest(path: string, expected: string, actual: string): BundleError {
  return new BundleError("E_OCI_DIGEST", "is not what its digest says", { path, expected, actual });
}

/** @param what of the indexes, as a predicate */
export function ociIndex(
  path: string,
  what: string,
  details: Omit<ErrorDetails, "path"> = {},
): BundleError {
  return new BundleError("E_OCI_INDEX", what, { ...details, path });
}

/** @param what is wrong with a layout, archive, manifest or config, as a predicate */
export function ociInvalid(
  path: string,
  what: string,
  details: Omit<ErrorDetails, "path"> = {},
): BundleError {
  return new BundleError("E_OCI_INVALID", what, { ...details, path });
}

export function ociLimit(
  path: string,
  what: string,
  compared: { expected: string; actual: string },
): BundleError {
  return new BundleError("E_OCI_LIMIT", what, { ...compared, path });
}

/** @param expected the ways to write it */
export function ociReference(text: string, expected: string): BundleError {
  const actual = JSON.stringify(text);
  return new BundleError("E_OCI_REFERENCE", "this names no image", { expected, actual });
}

/** @param expected bytes; likewise `actual`, or "fewer" and "more" where nobody counts on */
export function ociSize(path: string, expected: number, actual: number | string): BundleError {
  return new BundleError("E_OCI_SIZE", "has another size than what leads to it says", {
    path,
    expected: `${expected} bytes`,
    actual: `${actual}`,
  });
}

/** @param names that there are, as one writes them behind the colon */
export function ociTag(
  path: string,
  tag: string | undefined,
  names: readonly string[],
): BundleError {
  const what = tag === undefined ? "holds several images" : `holds no image ${quote(tag)}`;
  const expected = names.length === 0 ? "a name, and none of its images has one" : names.join(", ");
  return new BundleError("E_OCI_TAG", what, { path, expected });
}

export function ociUnsupported(path: string, what: string, actual: string): BundleError {
  return new BundleError("E_OCI_UNSUPPORTED", what, { path, actual });
}

export function optionConflict(what: FailureText): BundleError {
  return new BundleError("E_OPTION_CONFLICT", what);
}

/** @param key of the option @param meaning what it says, or why it is needed */
export function optionMissing(key: string, meaning: string): BundleError {
  return new BundleError("E_OPTION_MISSING", (name) => `${name(key)} is missing: ${meaning}`);
}

/** @param usage of the command, for who finds no option of a near name */
export function optionUnknown(
  option: string,
  nearest: string | undefined,
  usage?: string,
): BundleError {
  const hint = nearest === undefined ? usage : `Did you mean ${nearest}?`;
  return new BundleError("E_OPTION_UNKNOWN", `there is no option ${quote(option)}`, { hint });
}

/**
 * @param key of the option, or the name of what else has a value
 * @param file the configuration file that says so: options have their keys there
 */
export function optionValue(
  key: string,
  expected: FailureText,
  actual: string,
  file?: string,
): BundleError {
  const words = (name: string) => `${name} does not take this value`;
  const message: FailureText = file === undefined ? (name) => words(name(key)) : words(key);
  const wanted = actual.replace(/^"(?:linux-)?|"$/g, "");
  const hint = MACHINE_OPTIONS.includes(key) ? `${noOtherMachine(wanted)}.` : undefined;
  return new BundleError("E_OPTION_VALUE", message, { path: file, expected, actual, hint });
}

/** @param found what the glob was to match: "file", or "file or folder" */
export function globMatchesNothing(key: string, glob: string, found: string): BundleError {
  const shown = JSON.stringify(glob);
  return new BundleError("E_OPTION_VALUE", (name) => `${name(key)} does not take this value`, {
    expected: `a glob that matches a ${found} of the image`,
    actual: `${shown}, which matches none`,
    hint: /^(\*\*\/|\/)/.test(glob)
      ? "Globs are of paths in the image, which `bundle inspect --list` shows."
      : `Globs are of whole paths in the image: ${JSON.stringify(`**/${glob}`)} finds it in every folder.`,
  });
}

/** @param own as it stands in the value: "$PATH" */
export function ownVariable(name: string, value: string, own: string): BundleError {
  const fallback = /^..\w+:?-(.*)\}$/s.exec(own)?.[1];
  const first = value.startsWith(own);
  const others = value.replace(own, "");
  const joint = first ? /^[^\w$]/ : /[^\w}]$/;
  const found = joint.exec(others)?.[0] ?? ":";
  const pair = `${name}${found === ":" ? "" : found}=${others.replace(joint, "")}`;
  const [key, instead] =
    fallback === undefined
      ? [first ? "envAppend" : "envPrepend", pair]
      : ["envDefault", `${name}=${fallback}`];
  return new BundleError(
    "E_OPTION_VALUE",
    (called) => `${called("env")} does not take this value`,
    {
      expected: `no ${own}, which the app would get as these characters`,
      actual: JSON.stringify(`${name}=${value}`),
      hint: (called) => `To build on the caller's value write ${called(key)} '${instead}'.`,
    },
  );
}

export function outputDirectory(path: string): BundleError {
  return new BundleError("E_OUTPUT_DIRECTORY", "the output path names a directory", {
    path,
    expected: "the name of a file to write",
  });
}

/** Writing failed; picks the code that fits the system's reason. */
export function outputFailed(path: string, step: string, cause: unknown): BundleError {
  const reason = systemReason(cause);
  const details = { path, cause };
  switch (errnoCode(cause)) {
    case "ENOSPC":
    case "EDQUOT":
      return new BundleError("E_OUTPUT_NO_SPACE", `${step} failed: ${reason}`, details);
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new BundleError("E_OUTPUT_PERMISSION", `${step} failed: ${reason}`, details);
    case "ENOENT":
      return new BundleError("E_OUTPUT_FAILED", `${step} failed: ${reason}`, {
        ...details,
        hint: "Make the folder that is missing, or name another place. Nothing was left behind.",
      });
    default:
      return new BundleError("E_OUTPUT_FAILED", `${step} failed: ${reason}`, details);
  }
}

/**
 * The same where something is there all the same: what came before cannot be taken back.
 *
 * @param left what that is, as a sentence
 */
export function outputBroken(
  path: string,
  step: string,
  cause: unknown,
  left: string,
): BundleError {
  const { code } = outputFailed(path, step, cause);
  const hint = code === "E_OUTPUT_NO_SPACE" ? `Free some space or write elsewhere. ${left}` : left;
  return new BundleError(code, `${step} failed: ${systemReason(cause)}`, { path, cause, hint });
}

/** @param actual what stands there instead, for example "a character device" */
export function outputNotFile(path: string, actual: string): BundleError {
  return new BundleError("E_OUTPUT_FAILED", "the output would replace something else", {
    path,
    expected: "a regular file or a new name",
    actual,
  });
}

export function outputNotDirectory(path: string): BundleError {
  return new BundleError("E_OUTPUT_FAILED", "something else has the name of the folder", {
    path,
    expected: "a folder or a new name",
  });
}

export function outputInsideInput(path: string, dir: string): BundleError {
  return new BundleError("E_OUTPUT_INSIDE_INPUT", `the output lies inside the folder ${dir}`, {
    path,
  });
}

export function outputIsInput(path: string): BundleError {
  const hint = "Name another file: an input is never changed.";
  return new BundleError("E_OUTPUT_INSIDE_INPUT", "the output would replace the input", {
    path,
    hint,
  });
}

export function outOfMemory(what: string): BundleError {
  return new BundleError("E_OUT_OF_MEMORY", `not enough memory ${what}`);
}

/** @param hint where more than the name is wrong */
export function pathInvalid(path: string, what: string, hint?: string): BundleError {
  return new BundleError("E_PATH_INVALID", what, { path, ...(hint && { hint }) });
}

/** @param what stands at the path in an image, where a file was wanted */
export function pathNoFile(path: string, what: string): BundleError {
  const hint =
    "`bundle inspect --list FILE` has all that is in it; `bundle extract FILE PATH` unpacks folders, too.";
  return new BundleError("E_PATH_INVALID", what, { path, hint });
}

/** @param line of the text, from 1; undefined: all of it */
export function profileInvalid(
  path: string,
  line: number | undefined,
  what: string,
  details: ErrorDetails = {},
): BundleError {
  const place = line === undefined ? path : `${path}:${line}`;
  return new BundleError("E_PROFILE_INVALID", what, { ...details, path: place });
}

export function profileRecording(
  path: string,
  what: string,
  details: ErrorDetails = {},
): BundleError {
  return new BundleError("E_PROFILE_RECORDING", what, { ...details, path });
}

export function profileRun(path: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_PROFILE_RUN", what, { ...details, path });
}

/** @param varied what was not as usual in this build; perhaps nothing @param said on stderr */
export function rebuildFailed(path: string, varied: readonly string[], said: string): BundleError {
  const where = varied.length > 0 ? ` where this is another: ${varied.join(", ")}` : "";
  return new BundleError("E_REBUILD", `a build fails${where}`, {
    path,
    actual: said.trim().split("\n")[0],
  });
}

export function runtimeMissing(path: string, arch: string): BundleError {
  return new BundleError("E_RUNTIME_MISSING", `the runtime for ${arch} is not here`, { path });
}

/** @param what starts with the option or the text at fault */
export function runOption(what: string): BundleError {
  return new BundleError("E_RUN_OPTION", what);
}

/** @param key of an object of permissions that has no such one @param known those that it may have */
export function sandboxKey(
  key: string,
  nearest: string | undefined,
  known: readonly string[],
  file?: string,
): BundleError {
  const near = nearest === undefined ? known.join(", ") : `"${nearest}"`;
  return new BundleError("E_SANDBOX_RULE", "permissions: there is no such permission", {
    path: file,
    expected: near,
    actual: quote(key),
  });
}

/** @param code of a rule that is unknown, contradicts another, or is not to be had @param rule as a record has it */
export function sandboxRule(
  code: "E_SANDBOX_CONFLICT" | "E_SANDBOX_ROOT" | "E_SANDBOX_RULE",
  rule: string,
  what: string,
  file?: string,
): BundleError {
  return new BundleError(code, `permission ${quote(rule)}: ${what}`, { path: file });
}

/** @param at the key in an object of permissions: "permissions.net.connect" */
export function sandboxValue(
  at: string,
  expected: string,
  actual: string,
  file?: string,
): BundleError {
  const message = `${at} does not take this value`;
  return new BundleError("E_SANDBOX_RULE", message, { path: file, expected, actual });
}

export function serviceChanged(path: string): BundleError {
  return new BundleError("E_SERVICE_FAILED", "was changed while it was installed", { path });
}

/** @param how it ended, in words */
export function serviceEnded(name: string, how: string): BundleError {
  return new BundleError(
    "E_SERVICE_FAILED",
    `the app has failed within a second of its start: ${how}`,
    { path: name },
  );
}

/** @param said what systemd has to say */
export function serviceFailed(command: string, said: string): BundleError {
  return new BundleError("E_SERVICE_FAILED", `${command} failed: ${said}`);
}

export function serviceForeign(path: string): BundleError {
  return new BundleError("E_SERVICE_FOREIGN", "was not installed by `bundle service`", { path });
}

export function servicePermission(): BundleError {
  return new BundleError(
    "E_SERVICE_PERMISSION",
    "services of the machine are for root to change, and the caller is another user",
  );
}

/** @param what in words */
export function serviceSystemd(what: string): BundleError {
  return new BundleError("E_SERVICE_SYSTEMD", what);
}

export function shebang(path: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_SHEBANG", what, { ...details, path });
}

export function signatureBad(path: string, what: string): BundleError {
  return new BundleError("E_SIGNATURE_BAD", `the signature is not good: ${what}`, { path });
}

/** @param what the key or the signature */
export function signatureExpired(path: string, what: string, signer: string): BundleError {
  return new BundleError("E_SIGNATURE_EXPIRED", `${what} of ${signer} has expired`, { path });
}

/**
 * @param key what signed, by its own account @param wanted fingerprint that should have signed
 */
export function signatureKeyUnknown(
  path: string,
  key: { fingerprint: string; signer: string } | undefined,
  wanted?: string,
): BundleError {
  const who = key === undefined ? "a key that is not in the file" : `${key.signer}`;
  return new BundleError("E_SIGNATURE_KEY_UNKNOWN", `signed by ${who}, whom nobody vouches for`, {
    path,
    expected: wanted ?? "a key of your keyring",
    actual: key?.fingerprint ?? "a key that is nowhere",
    ...(key && {
      hint: (name: OptionNames) =>
        `When the author confirms this fingerprint, say that it must have signed: ${name("key", key.fingerprint)}`,
    }),
  });
}

export function signatureMissing(path: string): BundleError {
  return new BundleError("E_SIGNATURE_MISSING", "it is not signed", { path });
}

export function signatureRevoked(path: string, signer: string): BundleError {
  return new BundleError("E_SIGNATURE_REVOKED", `the key of ${signer} was revoked`, { path });
}

/** @param what which of both, with its limits in bytes */
export function signatureSize(what: string, limit: number, size: number): BundleError {
  return new BundleError("E_SIGNATURE_SIZE", `the ${what} does not fit into its section`, {
    expected: `at most ${limit} bytes`,
    actual: `${size}`,
  });
}

/** @param words what gpg said */
export function signFailed(words: string): BundleError {
  return new BundleError("E_SIGN_FAILED", `gpg did not sign: ${words}`);
}

/** @param key undefined: gpg's default key @param words what gpg said */
export function signKey(key: string | undefined, words: string): BundleError {
  const which = key === undefined ? "no default key" : `no secret key ${quote(key)}`;
  return new BundleError("E_SIGN_KEY", `gpg has ${which} to sign with: ${words}`);
}

/** @param limit levels of directories that are allowed @param actual levels that there are */
export function tmpdir(path: string, cause?: unknown): BundleError {
  const message =
    cause === undefined
      ? "others can change what TMPDIR, /tmp and /var/tmp lead to"
      : `no temporary folder can be made: ${systemReason(cause)}`;
  return new BundleError("E_TMPDIR", message, { path, cause });
}

export function treeDepth(path: string, limit: number, actual: number): BundleError {
  return new BundleError("E_TREE_DEPTH", "directories are nested too deep", {
    path,
    expected: `at most ${limit} levels`,
    actual: `${actual}`,
  });
}

/**
 * A value of the user's in a message: in quotes, so that an empty one and spaces are seen. Control
 * characters are escaped where messages are printed.
 */
export function quote(text: string): string {
  return `"${text}"`;
}

/** What is at a directory cannot be unmounted by us. */
export function umount(path: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_UMOUNT", what, { ...details, path });
}

export function umountBusy(path: string): BundleError {
  return new BundleError("E_UMOUNT_BUSY", "cannot be unmounted: files of it are in use", { path });
}

export function updateInfo(what: string, expected: string, actual: string): BundleError {
  return new BundleError("E_UPDATE_INFO", `the update information is refused: ${what}`, {
    expected,
    actual,
  });
}

/** @param name of an environment variable of ours */
export function variable(name: string, value: string, expected: string): BundleError {
  return new BundleError("E_VARIABLE", `${name}=${value}`, { expected });
}

/** @param what why it cannot be a machine */
export function vmBundle(path: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_VM_BUNDLE", what, { ...details, path });
}

/** @param how the machine's process ended */
export function vmCrashed(how: string, details: ErrorDetails): BundleError {
  return new BundleError("E_VM_CRASHED", `the machine ended (${how}) while the app ran`, details);
}

/** @param code what the guest calls it, one of ours @param text its words */
export function vmGuest(code: string, text: string): BundleError {
  const known = Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : "E_VM_START";
  const lacks = /^E_(ENTRY|COMMAND)_|^E_EXEC_FAILED$/.test(code);
  const hint =
    "The machine has what is in the bundle, and nothing else: pack what it needs, or put a system around it (--root IMAGE).";
  return new BundleError(known, `in the machine: ${text}`, lacks ? { hint } : {});
}

/** @param what what is wrong with the kernel `path` */
export function vmKernelFormat(path: string, what: string, details: ErrorDetails = {}) {
  return new BundleError("E_VM_KERNEL_FORMAT", what, { ...details, path });
}

/** @param refused why each of the installed ones was not taken @param hint what to install */
export function vmKernelMissing(refused: readonly string[], hint: string): BundleError {
  const what =
    refused.length === 0
      ? "no kernel is installed in /boot"
      : `no installed kernel can be used: ${refused.join("; ")}`;
  return new BundleError("E_VM_KERNEL_MISSING", what, { hint });
}

/**
 * @param lacks options that are not set @param missing modules that are not there
 * @param dir where they should be
 */
export function vmKernelUnfit(
  path: string,
  release: string,
  lacks: readonly string[],
  missing: readonly string[],
  dir: string,
): BundleError {
  const parts = [
    ...(lacks.length > 0 ? [`was built without ${lacks.join(", ")}`] : []),
    ...(missing.length > 0 ? [`has no module ${missing.join(", ")} in ${dir}`] : []),
  ];
  return new BundleError("E_VM_KERNEL_UNFIT", `kernel ${release} ${parts.join(" and ")}`, { path });
}

export function vmKvm(reason: string): BundleError {
  return new BundleError("E_VM_KVM", `KVM cannot be used: ${reason}`);
}

/** @param words the console's last lines */
export function vmMemory(words: string): BundleError {
  const message = (name: OptionNames) => `the machine has too little memory (${name("memory")})`;
  return new BundleError("E_VM_MEMORY", message, { actual: words });
}

/** @param path the module's file or name @param what what is wrong with it */
export function vmModule(path: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_VM_MODULE", what, { ...details, path });
}

/** @param words what QEMU said */
export function vmNetwork(words: string): BundleError {
  return new BundleError("E_VM_NETWORK", `the network cannot be had: ${words}`);
}

/** @param what address and port, or what QEMU said */
export function vmPort(what: string, cause?: unknown): BundleError {
  const reason = cause === undefined ? "" : `: ${systemReason(cause)}`;
  return new BundleError("E_VM_PORT", `cannot listen at ${what}${reason}`, { cause });
}

/** @param what why it cannot be restored */
export function vmSnapshot(path: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_VM_SNAPSHOT", what, { ...details, path });
}

export function vmStart(what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_VM_START", what, details);
}

/** @param words the console's last lines */
export function vmTimeout(seconds: number, words: string): BundleError {
  return new BundleError("E_VM_TIMEOUT", `the app did not run within ${seconds} s`, {
    actual: words,
  });
}

/** @param program that is not in PATH */
export function vmMissing(program: string): BundleError {
  return new BundleError("E_VM_VMM", `${program} is not installed`);
}

/** @param vmm one that is known, and was never started by us */
export function vmUndriven(vmm: string): BundleError {
  return new BundleError("E_VM_VMM", `${vmm} is not driven by this version`, {
    expected: "qemu",
    hint: `\`bundle export BUNDLE --microvm DIR\` writes what ${vmm} is started with.`,
  });
}

export function vmVolume(path: string, what: string, details: ErrorDetails = {}): BundleError {
  return new BundleError("E_VM_VOLUME", `cannot be shared: ${what}`, { ...details, path });
}

/** @param shown each with its code */
export function warnings(shown: readonly string[]): BundleError {
  const count = shown.length === 1 ? "a warning" : `${shown.length} warnings`;
  return new BundleError(
    "E_WARNINGS",
    (name) => `${count}, and ${name("strict")} takes no build with one: ${shown.join("; ")}`,
  );
}
