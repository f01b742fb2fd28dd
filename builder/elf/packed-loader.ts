/**
 * The dynamic linker of glibc without the files of the host: what it would find there belongs to another
 * libc.
 *
 * Nothing but constants changes, so addresses and the build ID stay. Each has to be there as often as in
 * every glibc that is known; else nothing is changed and the build fails, for half of the change would be
 * a program that sometimes loads libraries of two systems.
 */
import * as errors from "../errors.ts";

/** A constant: printable characters up to a NUL. */
interface Constant {
  at: number;
  text: string;
}

/** Files that it opens: the cache of ldconfig, and libraries that every program is to load. */
const FILES = [/^\/.*\/ld\.so\.cache$/, /^\/.*\/ld[a-z-]*\.so\.preload$/];
/** A folder that it searches when nothing else names one; "/lib64/", "/usr/lib/x86_64-linux-gnu/". */
const FOLDER = /^\/(?:[^/]+\/)*lib[^/]*\/(?:[^/]+\/)?$/;
/** The list of those folders stands there once or twice: newer ones have a text of them for messages too. */
const MAX_LISTS = 2;

/** As it blanks them: never there, of the same length, and no relative path. */
const blankFolder = (text: string) => `/${"\x7f".repeat(text.length - 2)}/`;

/**
 * @param bytes the whole file; not changed
 * @param file name for messages
 * @throws E_LIBC_UNKNOWN
 */
export function withoutHostFiles(bytes: Buffer, file: string): Buffer {
  const constants = [...texts(bytes)];
  const out = Buffer.from(bytes);
  const blanked = constants.filter(({ text }) => text.startsWith("/\x7f"));
  for (const pattern of FILES) {
    const found = constants.filter(({ text }) => pattern.test(text));
    if (found.length === 0 && blanked.length > 0) continue; // It was changed before.
    if (found.length !== 1) {
      throw errors.libcUnknown(file, `the dynamic linker does not name ${pattern.source}`, {
        ...{ expected: "once", actual: `${found.length} times` },
      });
    }
    for (const { at } of found) out[at] = 0;
  }
  const lists = folderLists(constants);
  const shown = new Set(lists.map((list) => list.map(({ text }) => text).join(" ")));
  if (blanked.length > 0 && lists.length === 0) return out;
  const whole = lists.flat().every(({ text }) => FOLDER.test(text));
  if (lists.length < 1 || lists.length > MAX_LISTS || shown.size !== 1 || !whole) {
    throw errors.libcUnknown(file, "the dynamic linker's own folders are not as expected", {
      ...{ expected: "one list, once or twice", actual: [...shown].join("; ") || "none" },
    });
  }
  for (const { at, text } of lists.flat()) out.write(blankFolder(text), at, "latin1");
  return out;
}

/** What is in front of one need not be a text, and then not end with NUL. */
function* texts(bytes: Buffer): Generator<Constant> {
  for (const { 0: text, index } of bytes.toString("latin1").matchAll(/[!-~\x7f]{3,}(?=\0)/g)) {
    yield { at: index, text };
  }
}

/**
 * Folders that stand one behind the other. A text that only ends as a folder becomes part of a list too:
 * then it is none that is expected.
 */
function folderLists(constants: readonly Constant[]): Constant[][] {
  const lists: Constant[][] = [];
  let next = -1;
  for (const constant of constants) {
    const { at, text } = constant;
    const last = lists.at(-1);
    if (FOLDER.test(text) && at === next && last !== undefined) last.push(constant);
    else if (FOLDER.test(text) || (text.endsWith("/") && FOLDER.test(text.replace(/^[^/]+/, "")))) {
      lists.push([constant]);
    }
    next = at + text.length + 1;
  }
  return lists;
}
