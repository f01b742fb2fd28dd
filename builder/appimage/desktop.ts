/**
 * Desktop entries: reading one, and what an AppImage's must have. Format: the Desktop Entry
 * Specification 1.5.
 */
import { checkCategories } from "../config/categories.ts";
import * as errors from "../errors.ts";

export interface DesktopEntry {
  name: string;
  /** As it stands in the file, with its field codes. */
  exec: string;
  /** Name of the icon: no path and no ending. */
  icon: string;
  categories: readonly string[];
  terminal: boolean;
}

const GROUP = "Desktop Entry";

/**
 * Reads and checks a desktop entry.
 *
 * @param file name for messages
 * @throws E_DESKTOP_INVALID where it is none, E_DESKTOP_KEY, E_DESKTOP_CATEGORY
 */
export function readDesktopEntry(bytes: Uint8Array, file: string): DesktopEntry {
  const keys = keysOf(bytes, file);
  const required = (key: string, hint: string): string => {
    const value = keys.get(key);
    if (value === undefined || value === "") {
      const actual = value === undefined ? "no such key" : "nothing";
      throw errors.desktopKey(file, key, hint, actual);
    }
    return value;
  };
  const type = required("Type", "Type=Application");
  if (type !== "Application") throw errors.desktopKey(file, "Type", "Application", `"${type}"`);
  const name = required("Name", "the name that a person reads, Name=My App");
  const exec = required("Exec", "the program and its arguments, Exec=my-app %F");
  const icon = required("Icon", "the name of the icon in the root of the AppDir, Icon=my-app");
  if (icon.includes("/") || /\.(png|svg|svgz|xpm)$/i.test(icon)) {
    throw errors.desktopKey(file, "Icon", "a name without path and ending", `"${icon}"`);
  }
  const categories = required("Categories", "a list, Categories=Utility;")
    .split(";")
    .filter((text) => text !== "");
  checkCategories(categories, file);
  const terminal = keys.get("Terminal") ?? "false";
  if (terminal !== "true" && terminal !== "false") {
    throw errors.desktopKey(file, "Terminal", "true or false", `"${terminal}"`);
  }
  return { name, exec, icon, categories, terminal: terminal === "true" };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The keys of the group Desktop Entry, those of other groups and languages left out. */
function keysOf(bytes: Uint8Array, file: string): Map<string, string> {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw errors.desktopInvalid(file, "it is no UTF-8 text");
  }
  const keys = new Map<string, string>();
  let group: string | undefined;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const here = `line ${index + 1}`;
    if (line.trim() === "" || line.startsWith("#")) continue;
    const heading = /^\[([^[\]]+)\]\s*$/.exec(line);
    if (heading !== null) {
      if (group === undefined && heading[1] !== GROUP) {
        throw errors.desktopInvalid(file, `${here}: the first group is not [${GROUP}]`);
      }
      group = heading[1];
      continue;
    }
    const pair = /^([A-Za-z0-9-]+)(\[[^\]]+\])?\s*=\s*(.*)$/.exec(line);
    if (pair === null || group === undefined) {
      throw errors.desktopInvalid(file, `${here} is neither [GROUP] nor KEY=VALUE: "${line}"`);
    }
    const [, key = "", locale, value = ""] = pair;
    if (group !== GROUP || locale !== undefined) continue;
    if (keys.has(key)) throw errors.desktopInvalid(file, `${here}: ${key} stands there twice`);
    keys.set(key, value.trimEnd());
  }
  if (group === undefined) throw errors.desktopInvalid(file, `it has no group [${GROUP}]`);
  return keys;
}

/** The program of an Exec value, without quotes and arguments; undefined where it has none. */
export function programOf(exec: string): string | undefined {
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(exec);
  if (quoted !== null) return (quoted[1] ?? "").replace(/\\(.)/g, "$1");
  return /^[^\s"]+/.exec(exec)?.[0];
}
