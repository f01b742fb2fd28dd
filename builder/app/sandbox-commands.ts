/** What the script that an app starts by calls of the machine, which a sandbox does not let it start. */
import path from "node:path";
import type { ResolvedBuildOptions } from "../config/build-options.ts";
import { statusOf } from "../host/status.ts";
import { imagePlaces, pathInImage } from "../manifest/folder-map.ts";
import { displayPath } from "../tree/path.ts";
import { resolvePath } from "../tree/resolve.ts";
import type { Tree } from "../tree/tree.ts";
import { type Warning, warning } from "../warnings.ts";
import type { App } from "./kind.ts";
import { parseShebang } from "./plain/shebang.ts";
import { shellCommands } from "./shell-commands.ts";
import { isShell, readScript } from "./shell-script.ts";

type Options = Pick<ResolvedBuildOptions, "mountAt" | "maps" | "sandbox" | "permissions">;

/** Where a machine has what scripts call. */
const FOLDERS = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/** Commands that shells have themselves, though there are programs of these names. */
const BUILTIN = new Set(
  "[ alias bg cd command echo false fc fg getopts hash jobs kill newgrp printf pwd read test true type ulimit umask unalias wait".split(
    " ",
  ),
);

/** Programs that a message names. */
const SHOWN = 3;

/** Where a rule says what may be started there is nothing to warn of: it is as it was asked for. */
export async function sandboxWarnings(app: App, options: Options): Promise<Warning[]> {
  const { sandbox, permissions, mountAt, maps } = options;
  if (!(sandbox || permissions !== undefined) || permissions?.exec !== undefined) return [];
  const resolved = app.entry === undefined ? undefined : resolvePath(app.tree, app.entry);
  const node = resolved && "found" in resolved ? resolved.found : undefined;
  if (node?.kind !== "file" || node.contents.from === "image") return [];
  const script = await readScript(node, isShell);
  const interpreter = isShell(script) ? parseShebang(script)?.interpreter : undefined;
  if (interpreter === undefined) return [];
  // With a shell of its own the app has other programs along, too.
  if (pathInImage(interpreter, imagePlaces(mountAt, maps)) !== undefined) return [];
  const called = [...shellCommands(script.toString("utf8"))];
  const own = namesIn(app.tree);
  const found = called.filter((name) => !BUILTIN.has(name) && !own.has(name) && isOfMachine(name));
  if (found.length === 0) return [];
  const more = found.length > SHOWN ? ` and ${found.length - SHOWN} more` : "";
  const message = `${displayPath(app.entry ?? "")} calls ${found.slice(0, SHOWN).join(", ")}${more}, and in its sandbox no program of the machine's starts; exec:host lets it`;
  return [warning("W_SANDBOX_EXEC", message)];
}

function namesIn(tree: Tree): Set<string> {
  const names = [...tree.walk()].map(({ path: file }) => file.slice(file.lastIndexOf("/") + 1));
  return new Set(names);
}

const isOfMachine = (name: string) =>
  FOLDERS.some((folder) => statusOf(path.join(folder, name))?.isFile());
