/** The one place that prints: results to stdout, errors to stderr. */
import { type BundleError, type OptionNames, sentence } from "../errors.ts";

/**
 * Text that came from outside, safe for a terminal: control characters and the marks that turn the
 * writing direction become \xNN, so that no name can rewrite the screen.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, (char) =>
    [...Buffer.from(char)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}

/** Writes to stdout as it is. */
export function print(text: string): void {
  process.stdout.write(text);
}

/** Says one line on stderr, beside the result. */
export function note(line: string): void {
  process.stderr.write(`bundle: ${printable(line)}\n`);
}

/** JSON in which what `printable` would change is \uNNNN: it means the same, and a terminal may show it. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export function printJson(value: unknown): void {
  print(`${jsonText(value, 2)}\n`);
}

/** Where a failure is shown. */
export interface ErrorPlace {
  /** The name that the command was called by. */
  program: string;
  /** How options are called there. */
  names: OptionNames;
  /** What asks for help there: "bundle build"; undefined: no command was named. */
  command?: string | undefined;
}

/** The words of a failure, with the command that was given where an advice is about whichever it was. */
function wordsAt(error: BundleError, { names, command = "bundle COMMAND" }: ErrorPlace) {
  const { message, expected, hint } = error.wordsFor(names);
  return {
    message,
    expected,
    hint: hint.replaceAll("`bundle COMMAND --help`", `\`${command} --help\``),
  };
}

/**
 * `bundle: [CODE] PATH: what happened: expected X, found Y` and the hint on a line of its own.
 *
 * @internal
 */
export function formatError(error: BundleError, place: ErrorPlace): string {
  const { code, path, actual } = error;
  const { message, expected, hint } = wordsAt(error, place);
  const line = sentence(message, { path, expected, actual });
  return `${place.program}: [${code}] ${printable(line)}\n  ${printable(hint)}\n`;
}

/**
 * Prints a failure, on stdout as JSON too when that was asked for.
 *
 * @param debug adds the stack trace
 */
export function printError(
  error: BundleError,
  { json, debug, ...place }: ErrorPlace & { json: boolean; debug: boolean },
): void {
  process.stderr.write(formatError(error, place));
  if (debug) process.stderr.write(`${error.stack}\n${causeText(error)}`);
  if (!json) return;
  const { code, path, actual } = error;
  const { message, expected, hint } = wordsAt(error, place);
  printJson({ error: { code, message, path, expected, actual, hint } });
}

function causeText({ cause }: BundleError): string {
  return cause instanceof Error ? `caused by ${cause.stack}\n` : "";
}

/** "1 file", "2 files" */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** 1536 → "1.5 KiB". */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`;
}
