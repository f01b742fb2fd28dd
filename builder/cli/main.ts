#!/usr/bin/env node
/** The command `bundle`. */
import { BundleError, errnoCode, internal } from "../errors.ts";
import { commandHelp, programHelp, version } from "../generated/spec.ts";
import { removeTemporaries } from "../output/temporary.ts";
import { buildCommand } from "./commands/build.ts";
import { extractCommand } from "./commands/extract.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { runtimeCommand } from "./commands/runtime.ts";
import { type Arguments, type CommandName, parseCommandLine } from "./parse.ts";
import { print, printError } from "./print.ts";

const run: Record<CommandName, (args: Arguments) => Promise<void>> = {
  build: buildCommand,
  extract: extractCommand,
  inspect: inspectCommand,
  runtime: runtimeCommand,
};

async function main(argv: readonly string[]): Promise<void> {
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

/** Ends as the signal would have ended the process, after temporary files are gone. */
function endBySignal(signal: NodeJS.Signals): void {
  try {
    removeTemporaries();
  } finally {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }
}

function onOutputError(cause: Error): void {
  if (errnoCode(cause) !== "EPIPE") throw cause;
  // The reader has gone, as `| head` does: there is nobody left to tell anything.
  removeTemporaries();
  process.exit(0);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, endBySignal);
process.stdout.on("error", onOutputError);
process.stderr.on("error", onOutputError);

const argv = process.argv.slice(2);
try {
  await main(argv);
} catch (cause) {
  const error = cause instanceof BundleError ? cause : internal(cause);
  const debug = process.env["FUSELAGE_DEBUG"] === "1";
  printError(error, { json: argv.includes("--json"), debug });
  process.exitCode = error.exitStatus;
}
