/** A machine that has started, as a file from which others go on. */
import type { FileHandle } from "node:fs/promises";
import * as errors from "../errors.ts";
import { sha256OfFile } from "../host/digest.ts";
import { resolveOutput, writeAtomically } from "../output/atomic.ts";
import { processorOf } from "../vm/host/accelerator.ts";
import { prepareBoot } from "../vm/host/boot.ts";
import { saveState, stopMachine } from "../vm/host/migrate.ts";
import { resolveVmOptions, type VmOptions } from "../vm/host/options.ts";
import { hardwareOf } from "../vm/host/qemu-arguments.ts";
import { parseUntil, startIsOver } from "../vm/host/rest.ts";
import { encodeHeader, HEADER_BYTES } from "../vm/host/snapshot-file.ts";
import { startMachine } from "../vm/host/start.ts";
import { findQemu } from "../vm/host/vmm.ts";
import { requireBundle } from "./vm-files.ts";
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
  { stdio, onNotice, onSignals }: Omit<VmCaller, "terminal">,
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
  const { bundle, needs } = await requireBundle(options.bundle);
  const digest = (await sha256OfFile(bundle)).toString("hex");
  const boot = await prepareBoot(options, needs);
  const abort = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    abort.signal.addEventListener("abort", () => reject(abort.signal.reason), { once: true });
  });
  aborted.catch(() => {});
  onSignals((name) => abort.abort(name));
  const write = async (handle: FileHandle) => {
    await handle.write(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, null);
    const started = await startMachine({
      ...{ qemu, disks: { app: bundle }, options, boot, onNotice, window: undefined },
      stdio: { ...stdio, stdin: undefined },
      signal: abort.signal,
    });
    const { machine, session, accelerator, version } = started;
    try {
      const ended = session.run().then(() => {
        throw errors.vmStart("the app ended before its start was over");
      });
      const unless = [ended, aborted];
      await Promise.race([
        ...unless,
        startIsOver(until, { session, pid: machine.pid }, abort.signal),
      ]);
      const pausedAt = session.elapsed;
      await Promise.race([...unless, session.pause()]);
      await stopMachine(machine.qmp);
      const bootMilliseconds = Math.round(session.elapsed);
      const bytes = await saveState(machine.qmp, handle);
      const pauseMilliseconds = Math.round(session.elapsed - pausedAt);
      const header = encodeHeader({
        ...{ qemu: version, accelerator, digest, bundle, bytes, bootMilliseconds },
        processor: processorOf(accelerator),
        hardware: hardwareOf({ ...options, accelerator, disks: { app: bundle } }),
        cpus: options.cpus,
        memory: options.memory,
        network: options.network.kind,
      });
      await handle.write(header, 0, HEADER_BYTES, 0);
      return { output: target, bytes: HEADER_BYTES + bytes, bootMilliseconds, pauseMilliseconds };
    } catch (cause) {
      abort.signal.throwIfAborted();
      throw cause;
    } finally {
      await started.end();
    }
  };
  return writeAtomically(target, 0o600, write, output);
}
