/** Compiled programs: checked for the machine, and with their libraries when --with-libs asks. */
import { open } from "node:fs/promises";
import { hasElfMagic, machineName, readElf } from "../../elf/read.ts";
import * as errors from "../../errors.ts";
import type { Architecture } from "../../host/paths.ts";
import { linkLibraries } from "../../libraries/add-libraries.ts";
import { byteString, displayPath } from "../../tree/path.ts";
import type { App, AppRequest, DetectInput, Kind } from "../kind.ts";
import { entryFile, entryHead, entryOf } from "../program.ts";

export const elf: Kind = {
  name: "elf",

  async detect(input: DetectInput): Promise<string | undefined> {
    if (!input.isDirectory) {
      return isElf(await input.head()) ? "it is a compiled program" : undefined;
    }
    const tree = await input.tree();
    let entry: string;
    try {
      entry = entryOf(input, tree);
    } catch (cause) {
      if (cause instanceof errors.BundleError) return undefined; // Whoever takes it will say so.
      throw cause;
    }
    const found = isElf(await entryHead(input, tree, entry));
    return found ? `${displayPath(entry)} is a compiled program` : undefined;
  },

  async prepare(request: AppRequest): Promise<App> {
    const { source, why, options } = request;
    const tree = await source.tree();
    const entry = entryOf(source, tree);
    if (!isElf(await entryHead(source, tree, entry))) {
      const name = displayPath(entry);
      throw errors.elfUnsupported(source.shown, `the entrypoint "${name}" is no compiled program`, {
        expected: "an ELF program",
        hint: (option) =>
          `Name one by ${option("entry")}, or build with ${option("kind", "plain")}.`,
      });
    }
    await checkMachine(entryFile(source, tree, entry), options.arch);
    const { explain, warnings, libc, openssl } = await linkLibraries({
      tree,
      options,
      get workspace() {
        return request.workspace;
      },
    });
    const summary = `elf (${why})`;
    return {
      kind: "elf",
      tree,
      entry,
      args: [],
      env: [],
      unsetEnv: [],
      libc,
      openssl,
      summary,
      explain,
      warnings,
    };
  },
};

const isElf = (head: Buffer | undefined) => head !== undefined && hasElfMagic(head);

/** @throws E_ELF_MACHINE when the bundle would be for another machine than its program */
async function checkMachine(file: string, arch: Architecture): Promise<void> {
  const handle = await open(file).catch((cause: unknown) => {
    throw errors.fileUnreadable(file, cause);
  });
  try {
    const { machine } = await readElf(handle, file);
    if (machineName(machine) !== arch) {
      throw errors.elfMachine(displayPath(byteString(file)), arch, machineName(machine));
    }
  } finally {
    await handle.close();
  }
}
