#!/usr/bin/env node
/** The command `fuselage-bundle`: `bundle assemble` under the name that fuselage gave it. */
import { alias, aliasHelp, version } from "../generated/spec.ts";
import { assembleCommand } from "./commands/assemble-command.ts";
import { parseAlias } from "./parse.ts";
import { print } from "./print.ts";
import { runProgram } from "./run-program.ts";

await runProgram(alias.name, async (argv) => {
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
});
