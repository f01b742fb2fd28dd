/** Programs that are not packed because every target has them. */
import path from "node:path";
import { everyTarget } from "../generated/spec.ts";

/** Where a program is that is named without its folder. */
const FOLDERS = ["/bin", "/usr/bin", "/sbin", "/usr/sbin"];

/**
 * @param program name that is looked for in PATH, or absolute path
 * @param declared names and paths, as the user says
 */
export function everyTargetHas(program: string, declared: readonly string[]): boolean {
  const known: readonly string[] = [...everyTarget.programs, ...declared];
  if (known.includes(program)) return true;
  if (!program.includes("/")) return known.some((one) => path.basename(one) === program);
  return FOLDERS.includes(path.dirname(program)) && declared.includes(path.basename(program));
}
