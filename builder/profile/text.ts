/**
 * Profile ↔ the text that people commit:
 *
 *   # comment
 *   version 1
 *
 *   bin/app 0-256K 4096K-4160K
 *   lib/plugin.so
 *   "name with blanks"
 *
 * One line is one rule. A path with blanks, quotation marks or bytes that are no plain UTF-8 stands in
 * quotation marks, with \n, \t, \\, \" and \xNN.
 */
import * as errors from "../errors.ts";
import { bytesOf, displayPath, nameProblem } from "../tree/path.ts";
import type { ByteRange, Profile, ProfileRule } from "./profile.ts";

const VERSION = 1;

/** More is no profile of a start: one of 10,000 files has about a megabyte. */
export const MAX_PROFILE_BYTES = 16 << 20;
const MAX_RANGES = 65536;

const HEADER = [
  "# What a start of this app reads, in the order of use. `bundle profile` makes it anew.",
  "# A line is a path in the image, and which bytes of the file; without any, all of it.",
];

const KIB = 1024;
const UNITS: Readonly<Record<string, number>> = { "": 1, K: KIB, M: KIB * KIB, G: KIB ** 3 };

/** The text, as bytes: a path need not be UTF-8. @param more lines of comment for its head */
export function formatProfile(profile: Profile, more: readonly string[] = []): Buffer {
  const head = [...HEADER, ...more.map((line) => `# ${line}`)].map((line) => Buffer.from(line));
  const lines = profile.map(({ path, ranges = [] }) =>
    Buffer.from([quoted(path), ...ranges.map(formatRange)].join(" "), "latin1"),
  );
  const newline = Buffer.from("\n");
  const all = [...head, Buffer.from(`version ${VERSION}`), Buffer.alloc(0), ...lines];
  return Buffer.concat(all.flatMap((line) => [line, newline]));
}

const formatRange = ({ start, end }: ByteRange) => `${formatSize(start)}-${formatSize(end)}`;

function formatSize(bytes: number): string {
  return bytes === 0 || bytes % KIB !== 0 ? `${bytes}` : `${bytes / KIB}K`;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function quoted(path: string): string {
  if (isPlain(path)) return path;
  const escaped = path.replace(/[^ -~]|["\\]/g, (char) => {
    if (char === "\n") return "\\n";
    if (char === "\t") return "\\t";
    if (char === '"' || char === "\\") return `\\${char}`;
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `"${escaped}"`;
}

/** Whether a path can be told from what stands beside it, and read by people as it is. */
function isPlain(path: string): boolean {
  if (path.startsWith('"') || path.startsWith("#")) return false;
  try {
    return !/[\p{C}\p{Z}]/u.test(utf8.decode(bytesOf(path)));
  } catch {
    return false;
  }
}

/**
 * Reads the text.
 *
 * @param file name for messages
 * @throws E_PROFILE_INVALID with the line that is wrong
 */
export function parseProfile(bytes: Buffer, file: string): Profile {
  if (bytes.length > MAX_PROFILE_BYTES) {
    throw errors.profileInvalid(file, undefined, "it is too large", {
      expected: `at most ${MAX_PROFILE_BYTES} bytes`,
      actual: "more",
    });
  }
  const rules: ProfileRule[] = [];
  let version: number | undefined;
  let ranges = 0;
  // An editor's mark of UTF-8, and lines of DOS: what others put into a text file is not its contents.
  const text = bytes.toString("latin1").replace(/^\xef\xbb\xbf/, "");
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.replace(/[ \t\r]+$/, "").replace(/^[ \t]+/, "");
    if (line === "" || line.startsWith("#")) continue;
    const at = { file, line: index + 1 };
    if (version === undefined) {
      version = parseVersion(line, at);
      continue;
    }
    const rule = parseRule(line, at);
    rules.push(rule);
    ranges += rule.ranges?.length ?? 1;
    if (ranges > MAX_RANGES) {
      throw errors.profileInvalid(file, at.line, `it has more than ${MAX_RANGES} ranges`);
    }
  }
  if (version === undefined) {
    throw errors.profileInvalid(file, undefined, "it is no start profile", {
      expected: `the line "version ${VERSION}"`,
      actual: "nothing but comments",
    });
  }
  return rules;
}

interface Place {
  file: string;
  line: number;
}

function invalid({ file, line }: Place, what: string, expected: string, actual: string): Error {
  const shown = actual.length > 80 ? `${actual.slice(0, 80)}...` : actual;
  const details = { expected, actual: `"${displayPath(shown)}"` };
  return errors.profileInvalid(file, line, what, details);
}

function parseVersion(line: string, at: Place): number {
  const digits = /^version[ \t]+([0-9]{1,9})$/.exec(line)?.[1];
  const expected = `the line "version ${VERSION}" before all others`;
  if (digits === undefined) throw invalid(at, "it is no start profile", expected, line);
  if (Number(digits) === VERSION) return VERSION;
  throw invalid(at, "its version is not known", `version ${VERSION}`, line);
}

function parseRule(line: string, at: Place): ProfileRule {
  const [word = ""] = line.startsWith('"') ? (/^"(?:[^"\\]|\\.)*"/.exec(line) ?? []) : [line];
  if (word === "") throw invalid(at, "the path has no end", 'a closing "', line);
  const isQuoted = line.startsWith('"');
  const first = isQuoted ? word : (/^[^ \t]+/.exec(line)?.[0] ?? "");
  const rest = line.slice(first.length);
  if (rest !== "" && !/^[ \t]/.test(rest)) {
    throw invalid(at, "a range touches the path", "a blank behind the path", line);
  }
  const path = checkedPath(isQuoted ? unquoted(first, at) : first, at);
  const words = rest.split(/[ \t]+/).filter((one) => one !== "");
  if (words.length === 0) return { path };
  return { path, ranges: words.map((one) => parseRange(one, at)) };
}

function unquoted(text: string, at: Place): string {
  return text.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|.)/gs, (whole, code: string) => {
    if (code === "n") return "\n";
    if (code === "t") return "\t";
    if (code === '"' || code === "\\") return code;
    if (code.length === 3) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    throw invalid(at, "the path has an unknown escape", '\\n, \\t, \\\\, \\" or \\xNN', whole);
  });
}

/** A path that people wrote: "./" and "/" before it lead to the same place in an image. */
function checkedPath(text: string, at: Place): string {
  const path = text.replace(/^(?:\.?\/+)+/, "");
  for (const name of path.split("/")) {
    const problem = nameProblem(name);
    if (problem !== undefined) throw invalid(at, problem, "the path of a file in the image", text);
  }
  return path;
}

function parseRange(text: string, at: Place): ByteRange {
  const found = /^([0-9]{1,15})([KMG]?)-([0-9]{1,15})([KMG]?)$/.exec(text);
  const [, from = "", fromUnit = "", to = "", toUnit = ""] = found ?? [];
  const start = Number(from) * (UNITS[fromUnit] ?? 1);
  const end = Number(to) * (UNITS[toUnit] ?? 1);
  const expected = "START-END in bytes, or with K, M or G, as 128K-256K";
  if (found === null) throw invalid(at, "a range cannot be read", expected, text);
  if (start >= end) throw invalid(at, "a range is empty", "a START below its END", text);
  if (!Number.isSafeInteger(end)) {
    throw invalid(at, "a range lies behind the end of any file", expected, text);
  }
  return { start, end };
}
