/** The first line of a script, which says to the kernel what runs it: execve(2). */
import { accessSync, constants } from "node:fs";
import path from "node:path";

export interface Shebang {
  /** What stands behind #!: a path, absolute in every script that works anywhere. */
  interpreter: string;
  /** The rest of the line, which is one argument. */
  argument: string | undefined;
  /** True when the line ends as lines of DOS do; the kernel takes the CR for a part of the name. */
  carriageReturn: boolean;
  /** What of the line the kernel does not read: it cuts the argument there, or knows no interpreter. */
  cut: "no" | "argument" | "interpreter";
}

/** Bytes of the first line that the kernel reads: BINPRM_BUF_SIZE without a final NUL. */
export const LINE_MAX = 255;

/** Undefined when a file does not start with #!. */
export function parseShebang(head: Buffer): Shebang | undefined {
  if (head.toString("latin1", 0, 2) !== "#!") return undefined;
  const end = head.indexOf("\n");
  const line = head.toString("utf8", 2, end < 0 ? head.length : end);
  const carriageReturn = line.endsWith("\r");
  const [, interpreter = "", argument] =
    /^[ \t]*([^ \t]*)(?:[ \t]+(.*?))?[ \t]*$/s.exec(line.replace(/\r$/, "")) ?? [];
  return {
    interpreter,
    argument: argument || undefined,
    carriageReturn,
    cut: cutOf(head.subarray(0, end < 0 ? head.length : end)),
  };
}

function cutOf(line: Buffer): Shebang["cut"] {
  if (line.length <= LINE_MAX) return "no";
  // A path that nothing ends within these bytes is taken for one that goes on.
  return /^#![ \t]*[^ \t]+[ \t]/.test(line.toString("latin1", 0, LINE_MAX))
    ? "argument"
    : "interpreter";
}

/**
 * The program that `env` is told to look for, or undefined when it is not env that runs this.
 *
 * @internal
 */
export function envProgram({ interpreter, argument }: Shebang): string | undefined {
  if (path.basename(interpreter) !== "env" || argument === undefined) return undefined;
  const words = argument.split(/[ \t]+/).map((word) => word.replace(/^(-S|--split-string=?)/, ""));
  return words.find((word) => word !== "" && !word.startsWith("-") && !word.includes("="));
}

/** What runs the script, as a person calls it. */
export const shebangProgram = (shebang: Shebang) => envProgram(shebang) ?? shebang.interpreter;

/** Why the script would start only in some folder, or undefined. */
export function placeProblem({ interpreter }: Shebang): string | undefined {
  if (path.isAbsolute(interpreter)) return undefined;
  return `its first line names "${interpreter}", which depends on the folder it is started from`;
}

/**
 * Why the script would not start on this machine, or undefined when its interpreter is here.
 *
 * @param searchPath value of PATH
 */
export function shebangProblem(shebang: Shebang, searchPath: string): string | undefined {
  const { interpreter } = shebang;
  const place = placeProblem(shebang);
  if (place !== undefined) return place;
  if (!isExecutable(interpreter)) {
    return `its first line names ${interpreter}, which is not on this machine`;
  }
  const program = envProgram(shebang);
  if (program === undefined) return undefined;
  const dirs = program.includes("/") ? [""] : searchPath.split(path.delimiter);
  if (dirs.some((dir) => isExecutable(path.join(dir, program)))) return undefined;
  return `its first line lets env look for ${program}, which is not in PATH on this machine`;
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
