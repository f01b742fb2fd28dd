/** `bundle completions SHELL` */
import { readFile } from "node:fs/promises";
import * as errors from "../../errors.ts";
import { completionsPath, type Shell, shells } from "../../host/paths.ts";
import type { Arguments } from "../parse.ts";
import { print } from "../print.ts";

export async function completionsCommand(args: Arguments): Promise<void> {
  const wanted = args.positionals[0] ?? "";
  const shell = shells.find((name) => name === wanted);
  if (shell === undefined) throw errors.optionValue("SHELL", shells.join(", "), `"${wanted}"`);
  const file = completionsPath(shell satisfies Shell);
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw errors.fileUnreadable(file, cause);
  });
  print(text);
}
