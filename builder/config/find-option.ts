/** Options of the runtime as they stand on a command line. runtime/base/option.c reads them alike. */

export interface OptionRow {
  /** Without dashes. */
  readonly name: string;
  readonly short?: string;
  readonly type: "string" | "boolean";
}

/** The option that a word is, and the value in it: --opt=VALUE, -oVALUE, -o=VALUE. */
export function findOption<Row extends OptionRow>(
  options: readonly Row[],
  word: string,
): { option: Row; attached: string | undefined } | undefined {
  for (const option of options) {
    const long = `--${option.name}`;
    if (word === long) return { option, attached: undefined };
    if (word.startsWith(`${long}=`)) return { option, attached: word.slice(long.length + 1) };
    if (option.short === undefined || !word.startsWith(`-${option.short}`)) continue;
    if (word.length === 2) return { option, attached: undefined };
    if (option.type === "string") return { option, attached: word.slice(2).replace(/^=/, "") };
  }
  return undefined;
}
