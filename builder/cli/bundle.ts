/** What `bundle` does: a command each. */
import { commandHelp, programHelp, version } from "../generated/spec.ts";
import { type Arguments, type CommandName, parseCommandLine } from "./parse.ts";
import { print } from "./print.ts";

/** Each is loaded for who asks for it: reading all of them takes longer than most of what they do. */
const load: Record<CommandName, () => Promise<(args: Arguments) => Promise<void>>> = {
  assemble: async () => (await import("./commands/assemble-command.ts")).assembleCommand,
  build: async () => (await import("./commands/build-command.ts")).buildCommand,
  cache: async () => (await import("./commands/cache-command.ts")).cacheCommand,
  cat: async () => (await import("./commands/cat-command.ts")).catCommand,
  check: async () => (await import("./commands/check-command.ts")).checkCommand,
  completions: async () => (await import("./commands/completions-command.ts")).completionsCommand,
  deploy: async () => (await import("./commands/deploy-command.ts")).deployCommand,
  doctor: async () => (await import("./commands/doctor-command.ts")).doctorCommand,
  diff: async () => (await import("./commands/diff-command.ts")).diffCommand,
  dump: async () => (await import("./commands/dump-command.ts")).dumpCommand,
  export: async () => (await import("./commands/export-command.ts")).exportCommand,
  extract: async () => (await import("./commands/extract-command.ts")).extractCommand,
  inspect: async () => (await import("./commands/inspect-command.ts")).inspectCommand,
  mount: async () => (await import("./commands/mount-command.ts")).mountCommand,
  pack: async () => (await import("./commands/pack-command.ts")).packCommand,
  profile: async () => (await import("./commands/profile-command.ts")).profileCommand,
  runtime: async () => (await import("./commands/runtime-command.ts")).runtimeCommand,
  service: async () => (await import("./commands/service-command.ts")).serviceCommand,
  umount: async () => (await import("./commands/umount-command.ts")).umountCommand,
  verify: async () => (await import("./commands/verify-command.ts")).verifyCommand,
  vm: async () => (await import("./commands/vm-command.ts")).vmCommand,
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
      await (await load[request.command]())(request.args);
  }
}
