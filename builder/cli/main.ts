#!/usr/bin/env node
/** The command `bundle`. */
import { commandHelp, programHelp, version } from "../generated/spec.ts";
import { assembleCommand } from "./commands/assemble.ts";
import { buildCommand } from "./commands/build.ts";
import { completionsCommand } from "./commands/completions.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { dumpCommand } from "./commands/dump.ts";
import { extractCommand } from "./commands/extract.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { mountCommand } from "./commands/mount.ts";
import { packCommand } from "./commands/pack.ts";
import { runtimeCommand } from "./commands/runtime.ts";
import { umountCommand } from "./commands/umount.ts";
import { verifyCommand } from "./commands/verify.ts";
import { type Arguments, type CommandName, parseCommandLine } from "./parse.ts";
import { print } from "./print.ts";
import { runProgram } from "./program.ts";

const run: Record<CommandName, (args: Arguments) => Promise<void>> = {
  assemble: assembleCommand,
  build: buildCommand,
  completions: completionsCommand,
  doctor: doctorCommand,
  dump: dumpCommand,
  extract: extractCommand,
  inspect: inspectCommand,
  mount: mountCommand,
  pack: packCommand,
  runtime: runtimeCommand,
  umount: umountCommand,
  verify: verifyCommand,
};

await runProgram("bundle", async (argv) => {
  const request = parseCommandLine(argv);
  switch (request.kind) {
    case "version":
      print(`bundle ${version}\n`);
      return;
    case "help":
      print(request.command === undefined ? programHelp : commandHelp[request.command]);
      return;
    case "run":
      await run[request.command](request.args);
  }
});
