/** What runs a script, and whether it is where the script will be started. */

import { readFileSync } from "node:fs";
import path from "node:path";
import { type FolderMap, pathInImage } from "../../manifest/folder-map.ts";
import { BUNDLE_DIR } from "../../manifest/manifest.ts";
import { pathOnDisk } from "../../tree/node.ts";
import { byteString, displayPath } from "../../tree/path.ts";
import { resolvePath } from "../../tree/resolve.ts";
import type { Tree } from "../../tree/tree.ts";
import { type Warning, warning } from "../../warnings.ts";
import { isVenv, VENV_FILE } from "../choose-entry.ts";
import { everyTargetHas } from "../target-programs.ts";
import {
  envProgram,
  isExecutable,
  placeProblem,
  type Shebang,
  shebangProblem,
  shebangProgram,
} from "./shebang.ts";

export interface Surroundings {
  tree: Tree;
  /** Absolute path of the folder on this machine; undefined for a single file. */
  folder: string | undefined;
  /** Where the folder, and folders of it, appear at every start. */
  places: readonly FolderMap[];
  /** Values that are put before PATH. */
  paths: readonly string[];
  /** Names and paths of what every target has, as the user says. */
  declared: readonly string[];
  /** PATH of this machine; undefined: this machine does not count. */
  searchPath: string | undefined;
}

export interface Started {
  explain: string[];
  warnings: Warning[];
}

/** What starts a script, by its first line. @param name of the script, for messages */
export function describeScript(shebang: Shebang, name: string, around: Surroundings): Started {
  const { interpreter } = shebang;
  const by = `by the first line of ${name}`;
  const inside = path.isAbsolute(interpreter)
    ? pathInImage(path.normalize(interpreter), around.places)
    : undefined;
  if (inside !== undefined) {
    const resolved = resolvePath(around.tree, byteString(inside));
    if ("found" in resolved && resolved.found.kind === "file") {
      return { explain: [`interpreter: ${inside} in the folder, ${by}`], warnings: [] };
    }
    const outside = "outside" in resolved ? resolved.target : undefined;
    if (outside !== undefined) return describeLink(inside, displayPath(outside), name, around);
    return problem(name, `its first line names ${interpreter}, and the folder has no ${inside}`);
  }
  if (around.folder !== undefined && below(interpreter, around.folder) !== undefined) {
    return problem(
      name,
      `its first line names ${interpreter}, which is the folder's place on this machine alone; ` +
        `--map .=!${around.folder} makes it appear there, or make it at /run/fuselage/NAME and ` +
        "pack it with --mount-at",
    );
  }
  const program = envProgram(shebang);
  const own = program === undefined ? undefined : inOwnPath(program, around);
  if (own !== undefined) {
    return { explain: [`interpreter: ${own} in the folder, ${by}`], warnings: [] };
  }
  const trouble =
    around.searchPath === undefined
      ? placeProblem(shebang)
      : shebangProblem(shebang, around.searchPath);
  if (trouble !== undefined) return problem(name, trouble);
  const shown = shebangProgram(shebang);
  return {
    explain: [`interpreter: ${shown}, the target's, ${by}`],
    warnings: targetMustHave(shown, `${name} is run by ${shown}`, around.declared),
  };
}

/**
 * A program of the folder that is a link to one of the machine, as the interpreter of a venv is.
 *
 * @param link path in the folder
 * @param name what is started by it, for messages
 */
export function describeLink(
  link: string,
  program: string,
  name: string,
  around: Surroundings,
): Started {
  const version = venvVersion(around.tree, link);
  const shown = version === undefined ? program : `${program}, a Python ${version}`;
  const is = name === link ? `${name} is a link to` : `${name} is run by ${link}, a link to`;
  const explain = [`interpreter: ${shown}, the target's, which ${link} leads to`];
  if (around.searchPath !== undefined && !isExecutable(program))
    return problem(name, `${link} leads to ${program}, which is not here`);
  return { explain, warnings: targetMustHave(program, `${is} ${shown}`, around.declared) };
}

function problem(name: string, what: string): Started {
  return { explain: [], warnings: [warning("W_SHEBANG", `${name}: ${what}`)] };
}

function targetMustHave(program: string, what: string, declared: readonly string[]): Warning[] {
  if (everyTargetHas(program, declared)) return [];
  return [warning("W_INTERPRETER", `${what}, which the target must have`)];
}

/** The rest of a path below a folder, or undefined. */
function below(file: string, folder: string): string | undefined {
  const rest = path.relative(folder, file);
  return rest === "" || rest.startsWith("..") || path.isAbsolute(rest) ? undefined : rest;
}

/** Where the app's own PATH has a program in the folder. */
function inOwnPath(program: string, { tree, paths }: Surroundings): string | undefined {
  for (const dir of paths.flatMap((value) => value.split(":"))) {
    if (!dir.startsWith(BUNDLE_DIR) || program.includes("/")) continue;
    const file = path.posix.join(dir.slice(BUNDLE_DIR.length), program).replace(/^\/+/, "");
    const resolved = resolvePath(tree, byteString(file));
    if (!("found" in resolved) || resolved.found.kind !== "file") continue;
    if ((resolved.found.mode & 0o111) !== 0) return file;
  }
  return undefined;
}

/** The Python that a venv was made for, as "3.11"; undefined when `link` is in none. */
function venvVersion(tree: Tree, link: string): string | undefined {
  if (!isVenv(tree, byteString(link))) return undefined;
  const resolved = resolvePath(tree, byteString(path.posix.join(link, "../..", VENV_FILE)));
  const node = "found" in resolved ? resolved.found : undefined;
  if (node?.kind !== "file" || node.contents.from !== "disk") return undefined;
  const text = readFileSync(Buffer.from(pathOnDisk(node.contents), "latin1"), "utf8");
  return /^version(?:_info)?\s*=\s*([0-9]+\.[0-9]+)/m.exec(text)?.[1];
}
