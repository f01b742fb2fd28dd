/** Standard input in the place of a file. */

/** How an input is called that is standard input. */
export const STDIN = "-";

/** What messages call an input. */
export const shownInput = (file: string): string => (file === STDIN ? "standard input" : file);
