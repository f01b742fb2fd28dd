/**
 * Options of a start whose root directory is the image, checked before they are recorded in a bundle:
 * runtime/root/options.c reads them again at each start, by the same table (scripts/spec/options.json,
 * `run`).
 */
import * as errors from "../errors.ts";
import { runOptions } from "../generated/spec.ts";
import { findOption, type OptionRow } from "./find-option.ts";

interface RunOption extends OptionRow {
  readonly pattern?: string;
  readonly expected?: string;
}

const options: readonly RunOption[] = runOptions;

/**
 * The words of a text, as a shell takes it apart: blanks between them, quotes and backslashes; nothing is
 * expanded.
 *
 * @throws E_RUN_OPTION for a quote that does not end
 */
function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    const next = text.charAt(at + 1);
    if (quote === "" && /[ \t\n]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (quote === "" ? /["']/.test(character) : character === quote) {
      quote = quote === "" ? character : "";
      word ??= "";
    } else {
      const isEscape =
        character === "\\" && quote !== "'" && (quote === "" ? next !== "" : /[\\"$`]/.test(next));
      word = (word ?? "") + (isEscape ? text.charAt(++at) : character);
    }
  }
  if (quote !== "") throw errors.runOption(`"${text}": a quote does not end`);
  return word === undefined ? words : [...words, word];
}

/**
 * Takes the texts of `--run` apart and looks at each word as the runtime will.
 *
 * @returns the words, as they are recorded
 * @throws E_RUN_OPTION
 */
export function parseRunOptions(texts: readonly string[]): string[] {
  const words = texts.flatMap(splitWords);
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const found = findOption(options, word);
    if (found === undefined) {
      throw errors.runOption(`"${word}": there is no such option of a start`);
    }
    const { option, attached } = found;
    if (option.type === "boolean") {
      if (attached !== undefined)
        throw errors.runOption(`"${word}": --${option.name} takes no value`);
      if (option.name === "help" || option.name === "persist-rm") {
        throw errors.runOption(`--${option.name} starts nothing, so it cannot be recorded`);
      }
      continue;
    }
    const value = attached ?? words[++at] ?? "";
    const fits = option.pattern === undefined || new RegExp(option.pattern, "u").test(value);
    if (fits) continue;
    const expected = `expected ${option.expected}, found ${JSON.stringify(value)}`;
    throw errors.runOption(`--${option.name}: ${expected}`);
  }
  return words;
}
