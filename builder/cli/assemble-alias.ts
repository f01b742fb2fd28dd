/** What `fuselage-bundle` does: `bundle assemble` under the name that fuselage gave it. */
import { alias, aliasHelp, version } from "../generated/spec.ts";
import { assembleCommand } from "./commands/assemble-command.ts";
import { parseAlias } from "./parse.ts";
import { print } from "./print.ts";

/** @param argv without the program */
export async function fuselageBundle(argv: readonly string[]): Promise<void> {
  const request = parseAlias(argv);
  switch (request.kind) {
    case "version":
      print(`${alias.name} ${version}\n`);
      return;
    case "help":
      print(aliasHelp);
      return;
    case "run":
      await assembleCommand(request.args);
  }
}
