/** Texts as unit files take them: systemd.syntax(7), "Quoting" in systemd.service(5), systemd.unit(5) for `%`. */
import * as errors from "../../errors.ts";
import { oneLine } from "../engine.ts";

/** What a unit expands in almost every value. */
const percent = (text: string) => text.replaceAll("%", "%%");

/** Text for people. A backslash at the end would take the next line along. */
export const unitText = (text: string): string => percent(oneLine(text)).replace(/\\+$/, "");

/**
 * One word, whatever is in it. Characters that control something are written as C does, so that a line stays one,
 * for systemd and for whoever carries the unit around.
 *
 * @throws E_ENGINE_INPUT for what is no UTF-8, by what a reader of bytes puts in its place
 */
export function unitWord(text: string): string {
  if (/[\ufffd\0]|\p{Cs}/u.test(text)) {
    throw errors.engineInput(text, "is no UTF-8 without NUL, which a unit has to be");
  }
  const escaped = text.replace(/["\\]/g, "\\$&").replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escapedCharacter);
  return `"${percent(escaped)}"`;
}

/** `\x` is a byte for systemd and a character for podman, which are the same up to 7f. */
function escapedCharacter(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const hex = (digits: number) => code.toString(16).padStart(digits, "0");
  if (code < 0x80) return `\\x${hex(2)}`;
  return code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`;
}

/** An argument of a command line, where variables are replaced too. */
export const unitArgument = (text: string): string => unitWord(text).replaceAll("$", "$$$$");

/**
 * A path of a program or file, which systemd takes without control characters, quotes and backslashes, however they
 * are written.
 *
 * @param what what the path is of
 * @param also another character that the setting does not take
 * @throws E_ENGINE_INPUT
 */
export function unitPath(file: string, what: string, also = ""): string {
  if (/["'\\]|\p{Cc}/u.test(file) || (also !== "" && file.includes(also))) {
    const without = `quotes, backslashes${also && `, ${also}`} and control characters`;
    throw errors.engineInput(
      file,
      `is the path of ${what}, which systemd takes without ${without}`,
    );
  }
  return unitWord(file);
}
