/** A folder as it is, or a script. */

import type { ResolvedBuildOptions } from "../../config/build-options.ts";
import { hasElfMagic } from "../../elf/read.ts";
import * as errors from "../../errors.ts";
import {
  asksForLibraries,
  type LinkedLibraries,
  linkLibraries,
} from "../../libraries/add-libraries.ts";
import { imagePlaces } from "../../manifest/folder-map.ts";
import { displayPath } from "../../tree/path.ts";
import { resolvePath } from "../../tree/resolve.ts";
import { warning } from "../../warnings.ts";
import type { App, AppRequest, DetectInput, Kind } from "../kind.ts";
import { entryHead, entryOf } from "../program.ts";
import { foreignWarnings } from "../program-machines.ts";
import { describeLink, describeScript, type Started, type Surroundings } from "./interpreter.ts";
import { LINE_MAX, parseShebang } from "./shebang.ts";

export const plain: Kind = {
  name: "plain",

  async detect(input: DetectInput): Promise<string | undefined> {
    if (input.isDirectory) return "the folder as it is";
    const head = await input.head();
    const isScript = head !== undefined && parseShebang(head) !== undefined;
    return isScript ? "a script, it starts with #!" : undefined;
  },

  async prepare(request: AppRequest): Promise<App> {
    const { source, why, options } = request;
    const tree = await source.tree();
    const entry = entryOf(source, tree);
    const around: Surroundings = {
      tree,
      folder: source.isDirectory ? source.path : undefined,
      places: imagePlaces(options.mountAt, options.maps),
      paths: ownPaths(options),
      declared: options.targetHas ?? [],
      searchPath: process.env["PATH"] ?? "",
    };
    const head = await entryHead(source, tree, entry);
    const started = describeStart(source, entry, head, around);
    const libraries: LinkedLibraries = asksForLibraries(options)
      ? await linkLibraries({
          tree,
          options,
          get workspace() {
            return request.workspace;
          },
        })
      : { explain: [], warnings: [], libc: [], openssl: undefined };
    return {
      kind: "plain",
      tree,
      entry,
      args: [],
      env: [],
      unsetEnv: [],
      libc: libraries.libc,
      openssl: libraries.openssl,
      summary: `plain (${why})`,
      explain: [...started.explain, ...libraries.explain],
      warnings: [
        ...started.warnings,
        ...(await foreignWarnings(tree, options.arch)),
        ...libraries.warnings,
      ],
    };
  },
};

/** What starts the entrypoint. @throws E_SHEBANG, and E_KIND_UNKNOWN for a file of no such kind */
function describeStart(
  source: DetectInput,
  entry: string,
  head: Buffer | undefined,
  around: Surroundings,
): Started {
  const name = displayPath(entry);
  const resolved = resolvePath(around.tree, entry);
  if ("outside" in resolved && resolved.target !== undefined) {
    return describeLink(name, displayPath(resolved.target), name, around);
  }
  const shebang = head && parseShebang(head);
  if (shebang === undefined) {
    if (head !== undefined && hasElfMagic(head)) return { explain: [], warnings: [] };
    if (!source.isDirectory) throw errors.kindUnknown(source.shown);
    const message = `${name} is neither a program nor a script that starts with #!`;
    return { explain: [], warnings: [warning("W_ENTRY_FORMAT", message)] };
  }
  if (shebang.carriageReturn) {
    throw errors.shebang(source.shown, `the first line of "${name}" ends in CR and LF`, {
      expected: "lines that end in LF alone",
      hint: "The kernel takes the CR for a part of the interpreter's name: run dos2unix on the file.",
    });
  }
  if (shebang.interpreter === "") {
    throw errors.shebang(source.shown, `the first line of "${name}" names nothing behind #!`);
  }
  if (shebang.cut === "interpreter") {
    throw errors.shebang(source.shown, `the first line of "${name}" is too long for the kernel`, {
      expected: `the path of an interpreter within ${LINE_MAX} bytes`,
      hint: "Name the interpreter by a shorter path, a symbolic link for example.",
    });
  }
  const described = describeScript(shebang, name, around);
  if (shebang.cut === "no") return described;
  const message = `the first line of ${name} is longer than the ${LINE_MAX} bytes that the kernel reads: what stands behind them is cut off`;
  return { ...described, warnings: [...described.warnings, warning("W_SHEBANG", message)] };
}

/** What the bundle puts into PATH, and before it. */
function ownPaths({ env, envPrepend }: ResolvedBuildOptions): string[] {
  return [...env, ...envPrepend].flatMap((one) => (one.startsWith("PATH=") ? one.slice(5) : []));
}
