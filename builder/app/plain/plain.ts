/** A folder as it is, or a script. */
import * as errors from "../../errors.ts";
import { byteString } from "../../tree/path.ts";
import { chooseEntry } from "../entry.ts";
import type { App, AppRequest, DetectInput, Kind } from "../kind.ts";

export const plain: Kind = {
  name: "plain",

  async detect(input: DetectInput): Promise<string | undefined> {
    if (input.isDirectory) return "the folder as it is";
    const head = await input.head();
    return head?.toString("latin1", 0, 2) === "#!" ? "a script, it starts with #!" : undefined;
  },

  async prepare({ source, why, options }: AppRequest): Promise<App> {
    const tree = await source.tree();
    const entry = source.isDirectory
      ? chooseEntry(tree, { dir: options.input, entry: options.entry, name: options.name })
      : `bin/${byteString(source.path.slice(source.path.lastIndexOf("/") + 1))}`;
    if (!source.isDirectory && (await plain.detect(source)) === undefined) {
      throw errors.kindUnknown(source.shown);
    }
    return {
      kind: "plain",
      tree,
      entry,
      args: [],
      env: [],
      unsetEnv: [],
      summary: `plain (${why})`,
      explain: [],
      warnings: [],
    };
  },
};
