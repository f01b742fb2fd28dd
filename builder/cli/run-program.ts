/** What every command of ours does around its work: signals, a reader that has gone, failures. */
import { errnoCode, outputBroken } from "../errors.ts";
import { endCommands } from "../host/command.ts";
import { removeTemporaries } from "../host/temporary.ts";
import { cancelJobs } from "../native/addon.ts";
import { checkDebug, fail } from "./fail.ts";
import { undoneBy } from "./interruption.ts";
import { flagNames } from "./option-flags.ts";
import { printError } from "./print.ts";

/** How long the threads of the addon may take to stop, ms: they look at it all the time. */
const PATIENCE = 1000;

/**
 * What an end at any moment leaves to be done: nobody writes any more, neither a thread nor a program
 * that was started, and temporary files go.
 */
function abandon(): void {
  cancelJobs(PATIENCE);
  endCommands();
  removeTemporaries();
}

/** Ends as the signal would have ended the process, after temporary files are gone. */
export function endBySignal(signal: NodeJS.Signals): void {
  const end = () => {
    try {
      abandon();
    } finally {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  };
  const undone = undoneBy(signal);
  if (undone === undefined) end();
  else undone.then(end);
}

let isOutputLost = false;

/**
 * What fails to be printed is a failure like any other; on stderr there is nowhere to tell it. What has to be
 * undone elsewhere is undone first, as for a signal, and what that has to say is lost.
 */
async function onOutputError(program: string, stream: NodeJS.WriteStream, cause: Error) {
  if (isOutputLost) return;
  isOutputLost = true;
  const undone = undoneBy("SIGPIPE");
  await undone;
  abandon();
  // The reader has gone, as `| head` does: there is nobody left to tell anything.
  if (errnoCode(cause) === "EPIPE") process.exit(undone === undefined ? 0 : 1);
  if (stream === process.stderr) process.exit(1);
  // It is a pipe, a terminal, a device or somebody's file, and nobody takes anything back from there.
  const left = "What the command did is done; what it printed is not whole.";
  const error = outputBroken("standard output", "write", cause, left);
  const names = flagNames([], program);
  printError(error, { json: false, debug: false, program, names });
  process.exit(error.exitStatus);
}

/**
 * Runs the program `name` with the arguments of the process; prints what `main` throws and sets the
 * exit status.
 */
export async function runProgram(
  name: string,
  main: (argv: readonly string[]) => Promise<void>,
): Promise<void> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, endBySignal);
  // An exception that nobody caught ends the process too.
  process.on("exit", abandon);
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (cause) => onOutputError(name, stream, cause));
  const argv = process.argv.slice(2);
  try {
    checkDebug();
    await main(argv);
  } catch (cause) {
    fail(name, argv, cause);
  }
}
