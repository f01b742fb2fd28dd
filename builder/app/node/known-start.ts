/**
 * What a start of an interpreter reads, where that is known: of the default ones, templates/node/starts has it by the
 * digest of the stripped program (scripts/starts.mjs makes it). What is packed may be a changed copy, with
 * another loader or search path: such edits append, and leave offsets as they were.
 */
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { errnoCode } from "../../errors.ts";
import { templatesPath } from "../../host/paths.ts";
import { LIBRARY_FOLDER } from "../../libraries/library-closure.ts";
import type { Profile } from "../../profile/profile.ts";
import { parseProfile } from "../../profile/text.ts";
import type { KnownStart } from "../kind.ts";
import { OF_EVERY_NODE } from "./check-interpreter.ts";
import type { Interpreter } from "./interpreter.ts";
import { PROGRAM_PLACE } from "./node-app-tree.ts";

/**
 * @param own what the app reads of its own, in order: places in the image. Those that are not there do not count
 * @returns undefined where nothing is known of the program
 */
export function knownStart(
  { digest, file, version }: Pick<Interpreter, "digest" | "file" | "version">,
  own: readonly string[],
): KnownStart | undefined {
  const known = read(path.join(templatesPath(), "node", "starts", `${digest}.profile`));
  if (known === undefined) return undefined;
  const [head, ...rest] = known.map((rule) => ({ ...rule, path: PROGRAM_PLACE }));
  const profile = [
    ...(head === undefined ? [] : [head]),
    // What was appended to the program, and the libraries, are wanted before its first instruction.
    { path: PROGRAM_PLACE, ranges: [{ start: statSync(file).size, end: Number.MAX_SAFE_INTEGER }] },
    ...OF_EVERY_NODE.map((name) => ({ path: `${LIBRARY_FOLDER}/${name}` })),
    ...rest,
    ...own.map((one) => ({ path: one })),
  ];
  return { profile, from: `what is known of Node ${version ?? ""}`.trimEnd() };
}

function read(file: string): Profile | undefined {
  try {
    return parseProfile(readFileSync(file), file);
  } catch (cause) {
    if (errnoCode(cause) === "ENOENT") return undefined;
    throw cause;
  }
}
