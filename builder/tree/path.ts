// Names and paths of a file tree, and the only code that decides whether one is allowed.
//
// Linux names are bytes. Here a name is a string with one character per byte (latin1), so that
// invalid UTF-8 survives a build and `<` orders names as the image format does: byte by byte.

import { pathInvalid } from "../errors.ts";

/** Longest name of a directory entry, bytes (squashfs stores its length minus one in 8 useful bits). */
const NAME_MAX = 255;

/** Longest target of a symbolic link, bytes: PATH_MAX without its final NUL. */
const TARGET_MAX = 4095;

/** The byte string of text typed by a person or kept in a JSON file: its UTF-8. */
export function byteString(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** The bytes of a byte string, for a system call. */
export function bytesOf(byteString: string): Buffer {
  return Buffer.from(byteString, "latin1");
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function escaped(text: string): string {
  return text.replace(/[\\\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) => {
    if (char === "\\") return "\\\\";
    if (char === "\n") return "\\n";
    if (char === "\t") return "\\t";
    return Array.from(Buffer.from(char), (byte) => `\\x${hex(byte)}`).join("");
  });
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

/**
 * A byte string as a message may show it: UTF-8 where it is UTF-8, `\xNN` for bytes that are not,
 * control and formatting characters escaped so that a name cannot rewrite a terminal.
 */
export function displayPath(byteString: string): string {
  const bytes = bytesOf(byteString);
  try {
    return escaped(utf8.decode(bytes));
  } catch {
    return Array.from(bytes, (byte) =>
      byte < 0x80 ? escaped(String.fromCharCode(byte)) : `\\x${hex(byte)}`,
    ).join("");
  }
}

/**
 * Why `name` cannot be the name of a directory entry, or undefined when it can.
 *
 * @internal
 */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "the name is empty";
  if (name === "." || name === "..") return `the name "${name}" is reserved`;
  if (name.includes("/")) return 'the name contains "/"';
  if (name.includes("\0")) return "the name contains a NUL byte";
  if (/[^\0-\xff]/.test(name)) return "the name is not a byte string";
  if (name.length > NAME_MAX) return `the name has ${name.length} bytes, the limit is ${NAME_MAX}`;
  return undefined;
}

/** Returns `name`, or throws E_PATH_INVALID saying what is wrong with it; `path` is where it stands. */
export function checkName(name: string, path = name): string {
  const problem = nameProblem(name);
  if (problem !== undefined) throw pathInvalid(displayPath(path), problem);
  return name;
}

/** Returns the target of a symbolic link, or throws E_PATH_INVALID; `path` is where the link stands. */
export function checkTarget(target: string, path: string): string {
  let problem: string | undefined;
  if (target === "") problem = "the target is empty";
  else if (target.includes("\0")) problem = "the target contains a NUL byte";
  else if (/[^\0-\xff]/.test(target)) problem = "the target is not a byte string";
  else if (target.length > TARGET_MAX) {
    problem = `the target has ${target.length} bytes, the limit is ${TARGET_MAX}`;
  }
  if (problem !== undefined) throw pathInvalid(displayPath(path), problem);
  return target;
}

/** The checked names of a path below the root; "" is the root itself. */
export function splitPath(path: string): string[] {
  if (path === "") return [];
  return path.split("/").map((name) => checkName(name, path));
}

export function joinPath(parent: string, name: string): string {
  return parent === "" ? name : `${parent}/${name}`;
}
