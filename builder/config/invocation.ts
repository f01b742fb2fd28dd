/**
 * A command line of the runner, checked before it is recorded in a bundle.
 *
 * runtime/cli/runner_options.c reads it again at each start, by the same rules and the same table
 * (scripts/spec/options.json, `runner`). What it would refuse is refused here, where the one who
 * can mend it looks on.
 */
import { statSync } from "node:fs";
import * as errors from "../errors.ts";
import { archiveEndings, paths, runnerOptions } from "../generated/spec.ts";
import { FIXED_DIRECTORY, isComponent } from "../manifest/fixed-path.ts";
import { formatMap, isProblem, mapsProblem, parseMap } from "../manifest/folder-map.ts";
import { findOption, type OptionRow } from "./find-option.ts";

/** As FILE in a recorded invocation: the bundle itself. */
const SELF = paths.selfFile;

interface InvocationArchive {
  /** As given: "--static". */
  option: string;
  /** One path component. */
  name: string;
  /** True when it appears at /run/fuselage/NAME. */
  fixed: boolean;
  /** undefined for --dynamic-empty. */
  file: string | undefined;
}

export interface Invocation {
  archives: InvocationArchive[];
  /** Folders of them at paths of their own, as given. */
  binds: string[];
  /** Path that is searched for in the archives. */
  run: string | undefined;
  /** The command and its arguments, or the arguments of `run`. */
  command: string[];
}

interface RunnerOption extends OptionRow {
  /** Whether it counts behind --run PATH too, where other options are the program's own. */
  readonly behindRun?: boolean;
  readonly optionalValue?: boolean;
  readonly choices?: readonly string[];
}

const options: readonly RunnerOption[] = runnerOptions;

/**
 * Reads the arguments as the runner would.
 *
 * @throws E_USAGE, E_ARCHIVE_NAME, E_ARCHIVE_OPEN, E_MOUNT_OPTION, E_MAP_*; the message names the
 *   argument
 */
export function parseInvocation(args: readonly string[]): Invocation {
  const invocation: Invocation = { archives: [], binds: [], run: undefined, command: [] };
  let at = 0;
  // A lone "-" is a command like any other.
  for (; at < args.length && /^-./s.test(args[at] ?? ""); at++) {
    const argument = args[at] ?? "";
    if (argument === "--") {
      at++;
      break;
    }
    const found = findOption(options, argument);
    if (invocation.run !== undefined && !found?.option.behindRun) break;
    if (found === undefined) throw usage(`"${argument}": there is no such option`);
    const { option } = found;
    if (option.type === "boolean" && found.attached !== undefined) {
      throw usage(`"${argument}": --${option.name} takes no value`);
    }
    const alone = option.type === "boolean" || option.optionalValue === true;
    if (!alone && found.attached === undefined && at + 1 === args.length) {
      throw usage(`"${argument}": expected a value behind it`);
    }
    const value = found.attached ?? (alone ? "" : (args[++at] ?? ""));
    apply(invocation, option, value);
  }
  invocation.command = args.slice(at);
  checkWhole(invocation);
  return invocation;
}

function usage(what: string): errors.BundleError {
  return errors.invocation("E_USAGE", what);
}

function apply(invocation: Invocation, { name, choices = [] }: RunnerOption, value: string): void {
  switch (name) {
    case "static":
    case "dynamic":
    case "dynamic-empty":
      addArchive(invocation.archives, `--${name}`, value);
      return;
    case "bind":
      invocation.binds.push(value);
      return;
    case "run":
      if (invocation.run !== undefined) {
        throw usage(`--run=${value}: given twice; write -- before the program's own`);
      }
      if (value === "") throw usage("--run: expected a path, found none");
      invocation.run = value;
      return;
    case "mount-type":
      if (!choices.includes(value)) {
        const what = `"--mount-type=${value}": expected ${choices.join(", ")}`;
        throw errors.invocation(
          "E_MOUNT_OPTION",
          what,
          "Leave it out: the best that works is taken.",
        );
      }
      return;
    case "env":
    case "env-default":
    case "env-prepend":
    case "env-append":
      if (value.indexOf("=") < 1) throw usage(`"--${name}=${value}": expected NAME=VALUE`);
      return;
    case "mount":
    case "mount-fd":
    case "options":
    case "foreground":
      throw usage(`--${name} is for a mount: a bundle of it would start nothing`);
    case "help":
    case "version":
      throw usage(`--${name} prints and ends: a bundle of it would start nothing`);
  }
}

function addArchive(archives: InvocationArchive[], option: string, value: string): void {
  const archive = parseArchive(option, value);
  const given = `${option}=${value}`;
  const other = archives.find(
    ({ name, fixed }) => name === archive.name && fixed === archive.fixed,
  );
  if (other !== undefined) {
    const taken = `the name "${archive.name}" is taken by ${other.option}=${other.file ?? other.name}`;
    const file = archive.file === undefined ? "" : `:${archive.file}`;
    const hint = `Give one of them another: ${option}=NAME${file}`;
    throw errors.invocation("E_ARCHIVE_NAME", `"${given}": ${taken}`, hint);
  }
  archives.push(archive);
}

/**
 * Splits [NAME:]FILE. The whole is tried as a file first, because names of files may hold a colon;
 * that file is looked for where the bundle is built, which is the best that can be known.
 */
function parseArchive(option: string, value: string): InvocationArchive {
  const given = `${option}=${value}`;
  if (option === "--dynamic-empty") {
    return { option, ...parseName(given, value), file: undefined };
  }
  const colon = value.indexOf(":");
  const plain = colon < 0 || isFile(value);
  const file = plain ? value : value.slice(colon + 1);
  const name = parseName(given, plain ? nameOfFile(file) : value.slice(0, colon));
  if (file === "") {
    const hint = `Write NAME:FILE; FILE is ${SELF} for the bundle itself.`;
    throw errors.invocation("E_ARCHIVE_OPEN", `"${given}": no file is named`, hint);
  }
  return { option, ...name, file };
}

function parseName(given: string, text: string): { name: string; fixed: boolean } {
  const fixed = text.startsWith(FIXED_DIRECTORY);
  const name = fixed ? text.slice(FIXED_DIRECTORY.length) : text;
  if (isComponent(name)) return { name, fixed };
  const expected = `one path component or ${FIXED_DIRECTORY}NAME`;
  const what = `"${given}": "${text}" cannot be a name: expected ${expected}`;
  throw errors.invocation("E_ARCHIVE_NAME", what);
}

function nameOfFile(file: string): string {
  const base = file.slice(file.lastIndexOf("/") + 1);
  const isEnding = (text: string) => base.length > text.length && base.endsWith(text);
  const found = archiveEndings.find(({ ending }) => isEnding(ending));
  return found === undefined ? base : base.slice(0, -found.ending.length);
}

function isFile(path: string): boolean {
  try {
    return !statSync(path).isDirectory();
  } catch {
    return false; // Whatever is wrong with it as a path: it may be NAME:FILE.
  }
}

/** @throws E_MAP_INVALID, E_MAP_OVERLAP, E_MAP_RESERVED, E_MAP_SOURCE */
function checkBinds({ archives, binds }: Invocation): void {
  const maps = binds.map((text) => {
    const map = parseMap(text);
    if (isProblem(map)) throw errors.invocation(map.code, `"--bind=${text}": ${map.what}`);
    const [name = ""] = map.source.split("/", 1);
    if (archives.some((archive) => archive.name === name)) return map;
    const what = `"--bind=${text}": there is no archive of the name ${name}`;
    throw errors.invocation("E_MAP_SOURCE", what);
  });
  const problem = mapsProblem(maps);
  if (problem === undefined) return;
  const given = `"--bind=${formatMap(problem.map)}"`;
  throw errors.invocation(problem.code, `${given}: ${problem.what}`);
}

function checkWhole(invocation: Invocation): void {
  const { archives, run, command } = invocation;
  checkBinds(invocation);
  if (run !== undefined && archives.length === 0) {
    const archive = "at least one archive to search (--static, --dynamic or --dynamic-empty)";
    throw usage(`--run=${run}: expected ${archive}`);
  }
  if (run === undefined && command.length === 0) {
    throw usage("it starts nothing: expected a command, or --run PATH");
  }
}
