/**
 * What is loaded of a command before it is known that there is room for more: Node opens all that a file
 * imports at once, so these are as few files as can be.
 */
import { requireDescriptors } from "../host/descriptors.ts";
import { fail } from "./fail.ts";

/**
 * Runs the program `name` with the arguments of the process; prints what `main` throws and sets the
 * exit status.
 *
 * @param main loads what it needs by itself
 */
export async function startProgram(
  name: string,
  main: (argv: readonly string[]) => Promise<void>,
): Promise<void> {
  try {
    requireDescriptors();
  } catch (cause) {
    fail(name, process.argv.slice(2), cause);
    return;
  }
  await (await import("./run-program.ts")).runProgram(name, main);
}
