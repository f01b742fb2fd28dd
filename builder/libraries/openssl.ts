/** Where an OpenSSL looks for certificates: in a folder that was compiled in, as its distribution has it. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { ElfObject } from "./elf-objects.ts";

/** What holds the folder, as text for `openssl version -d`. */
const LIBRARY = /^libcrypto\.so(\.|$)/;
const FOLDER = /OPENSSLDIR: "(\/[^"\0\n]{1,1000})"/;

/** The folder of the first OpenSSL among some libraries; undefined where there is none, or it says none. */
export async function opensslFolder(objects: readonly ElfObject[]): Promise<string | undefined> {
  for (const { real, facts } of objects) {
    if (!LIBRARY.test(facts.soname ?? path.basename(real))) continue;
    const [, folder] = FOLDER.exec((await readFile(real)).toString("latin1")) ?? [];
    if (folder !== undefined) return folder;
  }
  return undefined;
}
