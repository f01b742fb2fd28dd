/**
 * Modules of glibc's iconv: which ones go along, and the table that names them.
 *
 * UTF-8, UCS and ASCII are built into libc.so.6; every other character set is a module, UTF-16 too.
 * gconv-modules says which module converts what, by what other names, and at what cost.
 */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import * as errors from "../../errors.ts";
import { readRegularFile } from "../../host/status.ts";

/** What programs that call iconv are given: what text is mostly written in where it is no UTF-8. */
const USUAL = /^(ISO8859-[0-9]+|CP125[0-9]|UTF-(7|16|32)|UNICODE)$/;

export interface GconvModules {
  /** Files of the folder, sorted: modules, and libraries that they share. */
  files: readonly string[];
  /** Text of gconv-modules for them. */
  table: string;
}

interface Line {
  kind: "alias" | "module";
  from: string;
  to: string;
  file: string | undefined;
  text: string;
}

/** The charset of `INTERNAL` stands on one side of each module. */
const INTERNAL = "INTERNAL";

/** "ISO-8859-1//" in a table, "iso-8859-1" on a command line. */
const charset = (text: string) => text.replace(/\/+$/, "").toUpperCase();

/** The lines of gconv-modules and of gconv-modules.d/*.conf, in order. */
function readTable(folder: string): Line[] {
  const more = path.join(folder, "gconv-modules.d");
  const names = existsSync(more)
    ? readdirSync(more)
        .filter((name) => name.endsWith(".conf"))
        .sort()
    : [];
  const files = [
    path.join(folder, "gconv-modules"),
    ...names.map((name) => path.join(more, name)),
  ].filter(existsSync);
  return files.flatMap((file) => textOf(file).split("\n")).flatMap(parsed);
}

/** @throws E_FILE_UNREADABLE */
function textOf(file: string): string {
  try {
    return readRegularFile(file).toString("latin1");
  } catch (cause) {
    throw errors.fileUnreadable(file, cause);
  }
}

function parsed(line: string): Line[] {
  const [kind, from = "", to = "", file] = line.replace(/#.*/, "").trim().split(/\s+/);
  if ((kind !== "alias" && kind !== "module") || to === "") return [];
  const text = line.replace(/#.*/, "").trim().split(/\s+/).join("\t");
  return [{ kind, from: charset(from), to: charset(to), file, text }];
}

/** Where the modules of a libc are. @param folder that its libc.so.6 is in */
export const gconvFolder = (folder: string) => path.join(folder, "gconv");

/**
 * The modules for some character sets.
 *
 * @param folder with gconv-modules
 * @param wanted names of character sets or modules; "all"; undefined: the usual ones
 * @param needed what a file of the folder asks for in turn: names of files there
 * @returns also the names that no module has
 */
export async function chooseGconv(
  folder: string,
  wanted: readonly string[] | undefined,
  needed: (file: string) => Promise<readonly string[]>,
): Promise<GconvModules & { unknown: readonly string[] }> {
  const table = readTable(folder);
  const modules = table.filter(({ kind }) => kind === "module");
  const aliases = new Map(
    table.filter(({ kind }) => kind === "alias").map(({ from, to }) => [from, to]),
  );
  // A module lies in the folder that names it.
  const isThere = ({ file = "" }: Line) =>
    !file.includes("/") && existsSync(path.join(folder, `${file}.so`));
  const there = modules.filter(isThere);
  const { chosen, unknown } = choose(there, aliases, wanted);
  const files = await withNeeded(
    chosen.map((name) => `${name}.so`),
    needed,
  );
  const kept = there.filter(({ file = "" }) => chosen.includes(file));
  const sets = new Set(kept.flatMap(({ from, to }) => [from, to]));
  const names = table.filter(({ kind, to }) => kind === "alias" && sets.has(to));
  const lines = [...names, ...kept].map(({ text }) => `${text}\n`);
  return { files, table: lines.join(""), unknown };
}

function choose(
  there: readonly Line[],
  aliases: ReadonlyMap<string, string>,
  wanted: readonly string[] | undefined,
): { chosen: string[]; unknown: string[] } {
  const names = [...new Set(there.map(({ file = "" }) => file))].sort();
  if (wanted === undefined) return { chosen: names.filter((one) => USUAL.test(one)), unknown: [] };
  if (wanted.includes("all")) return { chosen: names, unknown: [] };
  const chosen = new Set<string>();
  const unknown: string[] = [];
  for (const given of wanted) {
    const name = charset(given);
    const set = aliases.get(name) ?? name;
    const found = there.filter(({ from, to, file = "" }) => {
      const other = from === INTERNAL ? to : from;
      return other === set || file.toUpperCase() === name;
    });
    if (found.length === 0) unknown.push(given);
    for (const { file = "" } of found) chosen.add(file);
  }
  return { chosen: [...chosen].sort(), unknown };
}

async function withNeeded(
  files: readonly string[],
  needed: (file: string) => Promise<readonly string[]>,
): Promise<string[]> {
  const all = new Set<string>();
  const pending = [...files];
  for (let file = pending.shift(); file !== undefined; file = pending.shift()) {
    if (all.has(file)) continue;
    all.add(file);
    pending.push(...(await needed(file)));
  }
  return [...all].sort();
}
