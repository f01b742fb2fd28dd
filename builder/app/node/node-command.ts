/** The command line that starts a Node app. */
import { renderTemplate } from "../../host/template.ts";
import { BUNDLE_DIR } from "../../manifest/manifest.ts";
import { byteString } from "../../tree/path.ts";
import { NODE_DIR, type NodeAppTree, START_SCRIPT } from "./node-app-tree.ts";
import { notTaken, type StartFlags } from "./start-flags.ts";

/** Oldest Node that `--node none` starts the app with. */
export const OLDEST_HOST = { version: "20.19", major: "20" };

/** Adds the files of variables that flags name. What flags load is the app's, or of its packages. */
export async function addFlagFiles(image: NodeAppTree, { files }: StartFlags): Promise<void> {
  for (const { kind, file } of files) {
    if (kind === "--env-file") await image.addHostPath(byteString(file));
  }
}

/** What stands between Node and the program. */
export interface NodeWords {
  /** Flags of Node. */
  flags: string[];
  /** `--require FILE`..., for the start script. */
  preloads: string[];
}

/**
 * What the flags of the app become. What --require names is loaded by the start script, because Node
 * would resolve it from the caller's folder. Beside --import, which Node loads later but before that
 * script, it is written as one of these.
 */
export function nodeWords(image: NodeAppTree, flags: StartFlags): NodeWords {
  const before = flags.others.flatMap(({ words }) => words);
  const preloads: string[] = [];
  const late: string[] = [];
  const imports = flags.files.some(({ kind }) => kind === "--import");
  for (const { kind, flag, file } of flags.files) {
    const place = `${BUNDLE_DIR}/${image.place(file)}`;
    if (!image.has(file)) notTaken(flags, flag, `${file} is not packed`);
    else if (kind === "--import") late.push(`${kind}=${place}`);
    else if (kind === "--env-file") before.push(`${kind}=${place}`);
    else if (imports) before.push(`--import=${place}`);
    else preloads.push(kind, place);
  }
  return { flags: [...before, ...late], preloads };
}

/**
 * What stands behind Node.
 *
 * @param program its place in the image
 * @param script whether Node is given the start script in its stead
 */
export function nodeCommand(words: NodeWords, program: string, script: boolean): string[] {
  const before = script ? [`${BUNDLE_DIR}/${START_SCRIPT}`, ...words.preloads] : [];
  return [...words.flags, ...before, `${BUNDLE_DIR}/${program}`];
}

/**
 * Adds the script that looks for a Node on the machine.
 *
 * @param command what stands behind Node
 */
export function startWithHost(image: NodeAppTree, name: string, command: readonly string[]) {
  const entry = `${NODE_DIR}/host`;
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const words = command.map((word) => word.split(BUNDLE_DIR).map(quoted).join('"$dir"'));
  const values = { name, ...OLDEST_HOST, command: words.join(" ") };
  image.addProgram(entry, renderTemplate("node/host.sh", values));
  return { entry, args: [] };
}
