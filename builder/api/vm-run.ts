/** A bundle as a virtual machine. */
import { checkOption } from "../config/validate.ts";
import * as errors from "../errors.ts";
import { withFile } from "../input/add-file.ts";
import { processorOf } from "../vm/host/accelerator.ts";
import { withBoot } from "../vm/host/boot.ts";
import { resolveVmOptions, type VmOptions } from "../vm/host/options.ts";
import { hardwareOf } from "../vm/host/qemu-arguments.ts";
import type { Ending, Stdio, Times } from "../vm/host/session.ts";
import { HEADER_BYTES, readHeader, requireSame } from "../vm/host/snapshot-file.ts";
import { type StartRequest, startMachine } from "../vm/host/start.ts";
import type { Terminal } from "../vm/host/terminal.ts";
import { findQemu, versionOf } from "../vm/host/vmm.ts";
import { withBundle, withDisks } from "./vm-files.ts";

/** What the caller of a machine has for it. */
export interface VmCaller {
  stdio: Stdio;
  /** The app gets one of its own, which is shown in this. */
  terminal: Terminal | undefined;
  /** Told in words, before and while the app runs. */
  onNotice(text: string): void;
  /**
   * Is called once the machine is on its way: what is given is called with each signal that came to the caller from then
   * on. Before the app runs a signal ends the machine, then it is the app's. Until it is called there is no machine, and
   * a signal is the caller's own affair.
   */
  onSignals(deliver: (name: NodeJS.Signals) => void): void;
}

/** How an app in a machine ended. */
export interface VmResult extends Ending {
  /** Milliseconds since the machine was started. */
  times: Times;
  /** "kvm", or "tcg": emulated. */
  accelerator: string;
  /** Of the guest's init: its largest resident size, KiB. */
  residentKiB?: number;
  /** Of the initramfs that was booted, without what is this run's. */
  initramfsBytes?: number;
  /** What the start took which a restore took the place of, milliseconds. */
  bootMilliseconds?: number;
}

/** What `vmRun` takes. */
export interface VmRunOptions extends Omit<VmOptions, "bundle"> {
  /** Bundle to run. Default with `from`: the one that the snapshot is of, where it was. */
  bundle?: string | undefined;
  /** Snapshot to go on from. */
  from?: string | undefined;
}

/**
 * Runs a bundle in a virtual machine until its app ends.
 *
 * @throws E_OPTION_*, E_VM_*, E_TMPDIR, and what `inspect` throws; a signal's name where one ended the machine
 *   before the app ran
 */
export async function vmRun(given: VmRunOptions, caller: VmCaller): Promise<VmResult> {
  const { from, bundle, ...rest } = given;
  checkOption("vm", "from", from);
  if (from !== undefined) return vmRestore({ ...rest, bundle, from }, caller);
  if (!bundle) throw errors.optionMissing("bundle", "the bundle to run");
  const options = resolveVmOptions({ ...rest, bundle });
  const qemu = findQemu(options.vmm);
  const { terminal } = caller;
  return withDisks(options, async (disks, needs) => {
    return withBoot(options, needs, (boot) =>
      run(caller, terminal, (signal) => ({
        ...{ qemu, disks, options, boot, signal },
        ...{ stdio: caller.stdio, onNotice: caller.onNotice, window: terminal?.size },
      })),
    );
  });
}

/** What a snapshot decides, and a restored machine cannot be asked for. */
const DECIDED = [
  "cpus",
  "memory",
  "kernel",
  "accel",
  "root",
  "volumes",
  "env",
  "workdir",
  "args",
] as const;

/**
 * Goes on from a snapshot.
 *
 * @throws E_VM_SNAPSHOT, and as `vmRun`
 */
async function vmRestore(
  { from, ...given }: VmRunOptions & { from: string },
  caller: VmCaller,
): Promise<VmResult> {
  const isGiven = (value: unknown) =>
    value !== undefined && !(Array.isArray(value) && !value.length);
  const decided = DECIDED.find((key) => isGiven(given[key]));
  if (decided !== undefined) {
    throw errors.optionConflict((name) => `${name("from")} goes on from what ${name(decided)} was`);
  }
  return withFile(from, async (handle) => {
    const header = await readHeader(handle, from);
    const { cpus, memory, accelerator, bootMilliseconds } = header;
    const options = {
      ...resolveVmOptions({ ...given, bundle: given.bundle ?? header.bundle }),
      ...{ cpus, memory },
    };
    if (options.network.kind !== header.network) {
      throw errors.vmSnapshot(from, "it was made with another network", {
        expected: header.network,
        actual: options.network.kind,
      });
    }
    const qemu = findQemu(options.vmm);
    return withBundle(options.bundle, async ({ disk, digest }) => {
      const disks = { app: disk };
      requireSame(from, header, {
        digest: await digest(),
        qemu: await versionOf(qemu),
        processor: processorOf(accelerator),
        hardware: hardwareOf({ ...options, accelerator, disks }),
      });
      // QEMU reads from where the descriptor stands.
      await handle.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, null);
      const result = await run(caller, undefined, (signal) => ({
        ...{ qemu, disks, options, signal, window: undefined, boot: undefined },
        ...{ stdio: caller.stdio, onNotice: caller.onNotice },
        state: handle.fd,
        restored: { accelerator, file: from },
      }));
      return { ...result, bootMilliseconds };
    });
  });
}

/** Starts a machine, hands it what comes for it, and waits for its end. */
async function run(
  { onSignals }: VmCaller,
  terminal: Terminal | undefined,
  requestFor: (signal: AbortSignal) => StartRequest,
): Promise<VmResult> {
  const abort = new AbortController();
  let deliver = (name: NodeJS.Signals) => abort.abort(name);
  onSignals((name) => deliver(name));
  const request = requestFor(abort.signal);
  const started = await startMachine(request);
  const { session, accelerator } = started;
  deliver = (name) => session.signal(name);
  try {
    const ending = await session.run(terminal);
    return {
      ...{ ...ending, times: session.times, accelerator, residentKiB: session.resident },
      ...(request.boot && { initramfsBytes: request.boot.bytes }),
    };
  } finally {
    await started.end();
  }
}
