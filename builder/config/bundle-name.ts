/** What a bundle is called where nobody has said it, and which names it can have. */
import path from "node:path";
import { statusOf } from "../host/status.ts";
import { nameOf, namesImage, parseReference } from "../oci/reference.ts";
import { type CommandName, checkOption } from "./validate.ts";

/** Of its input; of a dump as of a file whose ending says that it is one. */
export function nameFor({ fromDump }: { fromDump?: string | undefined }, input: string): string {
  if (fromDump === undefined) return defaultName(input);
  return usableName(path.basename(path.resolve(fromDump)).replace(/(?<=.)\.[^.]*$/, ""));
}

/** Endings that say the language of a script, not what it is called. */
const SCRIPT_ENDING = /(?<=.)\.([cm]?[jt]sx?|sh|bash|py|pl|rb)$/;

/** What a file is called behind the name of what is archived in it. */
const ARCHIVE_ENDING = /(?<=.)\.(tar(\.(gz|zst|xz))?|tgz|tzst|txz|zip)$/i;

/** What names a folder as an AppDir is no part of the app's name. */
const APPDIR_ENDING = /(?<=.)\.AppDir$/i;

/** The folder's own name, also for "." and ".."; a script's without its ending. */
function defaultName(input: string): string {
  if (namesImage(input)) return usableName(nameOf(parseReference(input)));
  const name = path.basename(path.resolve(input));
  const isFile = statusOf(input)?.isFile() ?? false;
  const ending = isFile
    ? ARCHIVE_ENDING.test(name)
      ? ARCHIVE_ENDING
      : SCRIPT_ENDING
    : APPDIR_ENDING;
  return usableName(name.replace(ending, ""), name);
}

/**
 * The first of some names that a folder and a process can have for people: one that is nothing but dots,
 * blanks and dashes is none, and control characters are not taken.
 */
export function usableName(...names: readonly string[]): string {
  return names.find((name) => /[^.\s\p{Pd}_]/u.test(name) && !/[/\p{Cc}]/u.test(name)) ?? "app";
}

/** @throws E_OPTION_VALUE when it cannot name a bundle: not every name of a file can */
export function checkedName(command: CommandName, name: string): string {
  checkOption(command, "name", name);
  return name;
}
