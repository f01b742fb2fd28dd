/** What `bundle` does: a command each. */
import { commandHelp, programHelp, version } from "../generated/spec.ts";
import { assembleCommand } from "./commands/assemble-command.ts";
import { buildCommand } from "./commands/build-command.ts";
import { cacheCommand } from "./commands/cache-command.ts";
import { catCommand } from "./commands/cat-command.ts";
import { checkCommand } from "./commands/check-command.ts";
import { completionsCommand } from "./commands/completions-command.ts";
import { diffCommand } from "./commands/diff-command.ts";
import { doctorCommand } from "./commands/doctor-command.ts";
import { dumpCommand } from "./commands/dump-command.ts";
import { exportCommand } from "./commands/export-command.ts";
import { extractCommand } from "./commands/extract-command.ts";
import { inspectCommand } from "./commands/inspect-command.ts";
import { mountCommand } from "./commands/mount-command.ts";
import { packCommand } from "./commands/pack-command.ts";
import { profileCommand } from "./commands/profile-command.ts";
import { runtimeCommand } from "./commands/runtime-command.ts";
import { serviceCommand } from "./commands/service-command.ts";
import { umountCommand } from "./commands/umount-command.ts";
import { verifyCommand } from "./commands/verify-command.ts";
import { vmCommand } from "./commands/vm-command.ts";
import { type Arguments, type CommandName, parseCommandLine } from "./parse.ts";
import { print } from "./print.ts";

const run: Record<CommandName, (args: Arguments) => Promise<void>> = {
  assemble: assembleCommand,
  build: buildCommand,
  cache: cacheCommand,
  cat: catCommand,
  check: checkCommand,
  completions: completionsCommand,
  // What speaks HTTP is loaded for who needs it.
  deploy: async (args) => (await import("./commands/deploy-command.ts")).deployCommand(args),
  doctor: doctorCommand,
  diff: diffCommand,
  dump: dumpCommand,
  export: exportCommand,
  extract: extractCommand,
  inspect: inspectCommand,
  mount: mountCommand,
  pack: packCommand,
  profile: profileCommand,
  runtime: runtimeCommand,
  service: serviceCommand,
  umount: umountCommand,
  verify: verifyCommand,
  vm: vmCommand,
};

/** @param argv without the program */
export async function bundle(argv: readonly string[]): Promise<void> {
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
}
