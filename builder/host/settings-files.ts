/** Files of settings that a compiler opens by itself, wherever it finds their names. */
import { readdirSync } from "node:fs";
import path from "node:path";
import * as errors from "../errors.ts";
import { statusOf } from "./status.ts";

/** In each folder, and above; `extends` names others like them. */
const NAME = /^(?:package|[jt]sconfig(?:\..*)?)\.json$/;
const NAMES = ["package.json", "tsconfig.json", "jsconfig.json"];

/**
 * Sees to it that esbuild finds only files by such names: from a fifo it would read for ever, and never
 * hear a signal meanwhile. Packages below node_modules come from archives that hold none.
 *
 * @param dir of a project; folders below it are looked into, and the names in those above
 * @throws E_FILE_UNREADABLE
 */
export function requireSettingsFiles(dir: string): void {
  for (let at = path.resolve(dir); path.dirname(at) !== at; ) {
    at = path.dirname(at);
    for (const name of NAMES) requireFile(path.join(at, name));
  }
  const folders = [path.resolve(dir)];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for (const entry of entriesOf(at)) {
      if (entry.isDirectory()) {
        if (entry.name !== "node_modules" && entry.name !== ".git")
          folders.push(path.join(at, entry.name));
      } else if (!entry.isFile() && NAME.test(entry.name)) requireFile(path.join(at, entry.name));
    }
  }
}

/** Nothing of a folder that cannot be listed: who packs it says so. */
function entriesOf(dir: string) {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch {
    return [];
  }
}

function requireFile(file: string): void {
  const found = statusOf(file);
  if (found === undefined || found.isFile() || found.isDirectory()) return;
  const cause = new Error("it is no regular file");
  throw errors.fileUnreadable(file, cause, "Settings are read from a file: put one there.");
}
