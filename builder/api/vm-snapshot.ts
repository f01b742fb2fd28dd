/** A machine that has started, as a file from which others go on. */
import type { FileHandle } from "node:fs/promises";
import * as errors from "../errors.ts";
import { resolveOutput, writeAtomically } from "../output/atomic.ts";
import { processorOf } from "../vm/host/accelerator.ts";
import { withBoot } from "../vm/host/boot.ts";
import { saveState, stopMachine } from "../vm/host/migrate.ts";
import { resolveVmOptions, type VmOptions } from "../vm/host/options.ts";
import { hardwareOf } from "../vm/host/qemu-arguments.ts";
import { parseUntil, startIsOver, type Until } from "../vm/host/rest.ts";
import { encodeHeader, HEADER_BYTES } from "../vm/host/snapshot-file.ts";
import { type StartRequest, startMachine } from "../vm/host/start.ts";
import { findQemu } from "../vm/host/vmm.ts";
import { withBundle } from "./vm-files.ts";
import type { VmCaller } from "./vm-run.ts";

export interface VmSnapshotOptions extends VmOptions {
  /** File to write. */
  output?: string | undefined;
  /** When the start is over: seconds, or a text that the app prints. Default: when the machine rests. */
  until?: string | undefined;
}

/** A snapshot that was made. */
export interface VmSnapshot {
  /** Absolute path. */
  output: string;
  bytes: number;
  /** Milliseconds from the machine's start until it was stopped. */
  bootMilliseconds: number;
  /** Milliseconds that the app stood still for it: from when it was asked to until the machine's state was here. */
  pauseMilliseconds: number;
}

/**
 * Starts a bundle in a machine, waits until it has started, and writes the machine's state. The file has all that
 * was in its memory and is readable to its owner alone.
 *
 * @throws E_OPTION_*, E_OUTPUT_*, E_VM_*, E_TMPDIR, and what `inspect` throws; a signal's name where one ended it
 */
export async function vmSnapshot(
  { output = "", until: untilText, ...given }: VmSnapshotOptions,
  caller: Omit<VmCaller, "terminal">,
): Promise<VmSnapshot> {
  const options = resolveVmOptions(given);
  if (options.volumes.length > 0) {
    throw errors.optionConflict((name) => `${name("volumes")}: no snapshot can have a volume`);
  }
  if (options.root !== undefined) {
    throw errors.optionConflict((name) => `${name("root")}: a snapshot is of one bundle alone`);
  }
  const until = parseUntil(untilText);
  const target = await resolveOutput(output);
  const qemu = findQemu(options.vmm);
  return withBundle(options.bundle, async ({ disk, needs, digest }) => {
    const machine = { qemu, disks: { app: disk }, options, digest: await digest() };
    return withBoot(options, needs, (boot) => {
      const abort = new AbortController();
      caller.onSignals((name) => abort.abort(name));
      const write = async (handle: FileHandle) => {
        const made = await record({ ...machine, boot, until }, caller, handle, abort.signal);
        return { output: target, ...made };
      };
      return writeAtomically(target, 0o600, write, output);
    });
  });
}

/** What is started, and until when it runs. */
type Recording = Pick<StartRequest, "qemu" | "disks" | "options" | "boot"> & {
  /** SHA-256 of the bundle. */
  digest: string;
  until: Until;
};

/** Fills the file of a snapshot. */
async function record(
  { qemu, disks, options, boot, digest, until }: Recording,
  { stdio, onNotice }: Pick<VmCaller, "stdio" | "onNotice">,
  handle: FileHandle,
  signal: AbortSignal,
): Promise<Omit<VmSnapshot, "output">> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {});
  await handle.write(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, null);
  const started = await startMachine({
    ...{ qemu, disks, options, boot, onNotice, signal, window: undefined },
    stdio: { ...stdio, stdin: undefined },
  });
  const { machine, session, accelerator, version } = started;
  try {
    const ended = session.run().then(() => {
      throw errors.vmStart("the app ended before its start was over");
    });
    const unless = [ended, aborted];
    await Promise.race([...unless, startIsOver(until, { session, pid: machine.pid }, signal)]);
    const pausedAt = session.elapsed;
    await Promise.race([...unless, session.pause()]);
    await stopMachine(machine.qmp);
    const bootMilliseconds = Math.round(session.elapsed);
    const bytes = await saveState(machine.qmp, handle);
    const pauseMilliseconds = Math.round(session.elapsed - pausedAt);
    const header = encodeHeader({
      ...{ qemu: version, accelerator, digest, bundle: disks.app.file, bytes, bootMilliseconds },
      processor: processorOf(accelerator),
      hardware: hardwareOf({ ...options, accelerator, disks }),
      cpus: options.cpus,
      memory: options.memory,
      network: options.network.kind,
    });
    await handle.write(header, 0, HEADER_BYTES, 0);
    return { bytes: HEADER_BYTES + bytes, bootMilliseconds, pauseMilliseconds };
  } catch (cause) {
    signal.throwIfAborted();
    throw cause;
  } finally {
    await started.end();
  }
}
