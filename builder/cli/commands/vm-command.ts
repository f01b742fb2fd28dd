/** `bundle vm run BUNDLE [OPTION]... [-- ARG...]`, `bundle vm snapshot BUNDLE -o FILE` */
import os from "node:os";
import { type VmCaller, type VmResult, vmRun } from "../../api/vm-run.ts";
import { vmSnapshot } from "../../api/vm-snapshot.ts";
import * as errors from "../../errors.ts";
import type { VmOptions } from "../../vm/host/options.ts";
import type { Ending, Stdio } from "../../vm/host/session.ts";
import { Terminal } from "../../vm/host/terminal.ts";
import type { Arguments } from "../parse.ts";
import { patientOutput } from "../patient-output.ts";
import { formatBytes, jsonText, note } from "../print.ts";
import { endBySignal } from "../run-program.ts";
import { parsed, parseNumber, unread } from "../values.ts";

/** Signals that are the app's; SIGQUIT, SIGUSR1 and SIGUSR2 have meanings for apps too. */
const PASSED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

const actions = { run: runAction, snapshot: snapshotAction };

/** Options that only one of them takes. */
const own = { run: ["from", "verbose"], snapshot: ["output", "until"] } as const;

export async function vmCommand(args: Arguments): Promise<void> {
  const [action = ""] = args.positionals;
  if (!Object.hasOwn(actions, action)) {
    throw errors.optionValue("ACTION", Object.keys(actions).join(", "), `"${action}"`);
  }
  const name = action as keyof typeof actions;
  const other = Object.entries(own).find(([key]) => key !== name)?.[1] ?? [];
  const strange = other.find((option) => args.flag(option));
  if (strange !== undefined) throw errors.optionConflict(`vm ${name} takes no --${strange}`);
  // Until there is a machine they end this, and at once: Node's own answers to two of them are none.
  for (const name of PASSED) {
    process.removeAllListeners(name);
    process.on(name, endBySignal);
  }
  // Whoever stops reading is told to the app, as its own pipe would.
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners("error");
  await actions[name](args);
}

function optionsOf(args: Arguments): Omit<VmOptions, "bundle"> {
  return {
    args: args.rest,
    vmm: parsed(args.text("vmm"), unread<NonNullable<VmOptions["vmm"]>>),
    accel: parsed(args.text("accel"), unread<NonNullable<VmOptions["accel"]>>),
    cpus: parsed(args.text("cpus"), parseNumber),
    memory: args.text("memory"),
    kernel: args.text("kernel"),
    root: args.text("root"),
    network: args.text("network"),
    publish: args.list("publish"),
    address: args.text("address"),
    gateway: args.text("gateway"),
    volumes: args.list("volume"),
    env: args.list("env"),
    workdir: args.text("workdir"),
    timeout: parsed(args.text("timeout"), parseNumber),
  };
}

async function runAction(args: Arguments): Promise<void> {
  const [, bundle] = args.positionals;
  const from = args.text("from");
  if (bundle === undefined && from === undefined) throw missing("run");
  const terminal = ownTerminal();
  const options = optionsOf(args);
  const term = from === undefined && terminal && process.env["TERM"];
  const env = [...(term ? [`TERM=${term}`] : []), ...(options.env ?? [])];
  const caller: VmCaller = { stdio: ownStdio(), terminal, onNotice: note, onSignals };
  const result = await vmRun({ ...options, env, bundle, from }, caller).catch(endedEarly);
  process.stdin.destroy();
  if (args.flag("verbose")) note(inWords(result));
  if (args.flag("json")) tellJson(result);
  end(result);
}

async function snapshotAction(args: Arguments): Promise<void> {
  const [, bundle] = args.positionals;
  if (bundle === undefined) throw missing("snapshot");
  const output = args.text("output");
  if (output === undefined) throw errors.optionMissing("-o FILE", "the snapshot to write");
  const caller = { stdio: ownStdio(), onNotice: note, onSignals };
  const options = { ...optionsOf(args), bundle, output, until: args.text("until") };
  const made = await vmSnapshot(options, caller).catch(endedEarly);
  process.stdin.destroy();
  if ("signal" in made) return end(made);
  if (args.flag("json")) return tellJson(made);
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
  const { output: file, bytes, bootMilliseconds, pauseMilliseconds } = made;
  const [started, paused] = [seconds(bootMilliseconds), seconds(pauseMilliseconds)];
  note(`${file}: ${formatBytes(bytes)}, started in ${started}, stood still for ${paused}`);
}

/** The app has the standard output, so what is said goes to standard error, JSON in one line. */
function tellJson(value: object): void {
  process.stderr.write(`${jsonText(value)}\n`);
}

const missing = (action: string) =>
  errors.argument("BUNDLE is missing", `bundle vm ${action} BUNDLE`);

/** A signal that came before the app ran, by its name. */
function endedEarly(cause: unknown): VmResult {
  if (typeof cause !== "string") throw cause;
  const signal = os.constants.signals[cause as NodeJS.Signals];
  return { status: null, signal, times: {}, accelerator: "" };
}

function ownStdio(): Stdio {
  const { stdin, stdout, stderr } = process;
  return { stdin, stdout: patientOutput(stdout), stderr: patientOutput(stderr) };
}

/** The app gets a terminal where this process has one for both ways. */
function ownTerminal(): Terminal | undefined {
  const { stdin, stdout } = process;
  return stdin.isTTY && stdout.isTTY ? new Terminal(stdin, stdout) : undefined;
}

function onSignals(deliver: (name: NodeJS.Signals) => void): void {
  for (const name of PASSED) {
    process.removeAllListeners(name);
    process.on(name, deliver);
  }
}

function inWords({ times: { hello, up, firstByte, ended }, bootMilliseconds }: VmResult): string {
  const parts = {
    [bootMilliseconds === undefined ? "app runs" : "restored"]: up,
    "first byte": firstByte,
    "app ended": ended,
    "the start that this replaces took": bootMilliseconds,
  };
  const init = hello === undefined ? [] : [["init runs", hello] as const];
  return [...init, ...Object.entries(parts)]
    .filter(([, time]) => time !== undefined)
    .map(([what, time]) => `${what} ${((time ?? 0) / 1000).toFixed(2)} s`)
    .join(", ");
}

/** Ends this process as the app ended. */
function end({ status, signal }: Ending): void {
  if (signal === null) {
    process.exitCode = status ?? 1;
    return;
  }
  for (const name of process.eventNames()) {
    if (String(name).startsWith("SIG")) process.removeAllListeners(name);
  }
  // One that this process cannot end by, as SIGPIPE, which Node ignores, is a status as shells make it.
  process.exitCode = 128 + signal;
  process.kill(process.pid, signal);
}
