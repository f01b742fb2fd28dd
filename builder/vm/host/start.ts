/** Starts a machine and waits until the app runs in it, by KVM or, where that does not come up, emulated. */
import { randomBytes } from "node:crypto";
import { closeSync, openSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as errors from "../../errors.ts";
import { removeTemporary, workFolder } from "../../host/temporary.ts";
import type { RunRecord } from "../initramfs.ts";
import { type Accelerator, chooseAcceleration } from "./accelerator.ts";
import type { Boot } from "./boot.ts";
import { clockText } from "./control.ts";
import { Machine } from "./machine.ts";
import { goOn, stateRead } from "./migrate.ts";
import { checkNetwork, networkRecords } from "./network.ts";
import type { ResolvedVmOptions } from "./options.ts";
import { type Disks, type QemuPlan, type SharedFolder, volumeTag } from "./qemu-arguments.ts";
import { Session, type Stdio } from "./session.ts";
import type { WindowSize } from "./terminal.ts";
import { VolumeServers } from "./virtiofsd.ts";
import type { Volume } from "./volumes.ts";

export interface StartRequest {
  qemu: string;
  disks: Disks;
  options: ResolvedVmOptions;
  /** Undefined for a machine that is restored. */
  boot: Boot | undefined;
  stdio: Stdio;
  /** Of the user's terminal, where the app gets one. */
  window: WindowSize | undefined;
  /** Descriptor of a snapshot, where its state begins. */
  state?: number | undefined;
  /** The state is there, and was made so: it is restored in place of a boot. */
  restored?: { accelerator: Accelerator; file: string } | undefined;
  onNotice(text: string): void;
  /** Ends the machine before the app runs. */
  signal: AbortSignal;
}

/** A machine in which the app runs. */
export interface Started {
  machine: Machine;
  session: Session;
  accelerator: Accelerator;
  /** QEMU's version. */
  version: string;
  /** Ends all processes of it. */
  end(): Promise<void>;
}

/** How long a machine with KVM may take to its guest's first line before it is emulated, ms. */
const KVM_PATIENCE = 10_000;

/** How long QEMU may take to end after its monitor has, ms. */
const ENDING = 1000;

/** Bytes of entropy that a machine starts with. */
const SEED_BYTES = 64;

/**
 * @throws E_VM_*, E_TMPDIR; the reason of an aborted signal
 */
export async function startMachine(request: StartRequest): Promise<Started> {
  const { options, restored, onNotice, signal } = request;
  await checkNetwork(options.network);
  const { tried, reason } =
    restored === undefined
      ? chooseAcceleration(options.accel)
      : { tried: [restored.accelerator], reason: undefined };
  if (reason !== undefined) onNotice(`no KVM, so the processor is emulated: ${reason}`);
  for (const accelerator of tried) {
    const isLast = accelerator === tried.at(-1);
    const began = await begin(request, accelerator);
    const patience = isLast ? options.timeout : Math.min(KVM_PATIENCE, options.timeout);
    try {
      if (!isLast) await within(patience, began.session.hello, began.machine, signal);
      await within(options.timeout, began.session.up, began.machine, signal);
      return began;
    } catch (cause) {
      await began.end();
      const silent = began.session.times.hello === undefined;
      const mayFallBack = cause instanceof errors.BundleError && FALLS_BACK.includes(cause.code);
      if (isLast || !silent || !mayFallBack) throw cause;
      onNotice(`KVM does not start the machine, so its processor is emulated: ${cause.message}`);
    }
  }
  throw errors.internal(new Error("no accelerator was tried"));
}

/** Failures that another accelerator may not have. */
const FALLS_BACK: readonly errors.ErrorCode[] = ["E_VM_START", "E_VM_TIMEOUT"];

async function begin(request: StartRequest, accelerator: Accelerator): Promise<Started> {
  const { qemu, disks, options, boot, stdio, state, restored, onNotice, signal } = request;
  const servers = new VolumeServers();
  let machine: Machine | undefined;
  const end = async () => {
    await machine?.kill();
    await servers.end();
  };
  const initramfs = boot === undefined ? openSync("/dev/null", "r") : initramfsOf(request, boot);
  try {
    const plan: QemuPlan = {
      accelerator,
      cpus: options.cpus,
      memory: options.memory,
      network: options.network,
      disks,
      boot,
      volumes: await share(servers, boot, options.volumes, signal),
      restored: restored !== undefined,
    };
    machine = new Machine(qemu, plan, initramfs, state);
    const session = new Session(machine, stdio, onNotice);
    const greeted = machine.qmp.begin().catch((cause: unknown) => {
      // The session says better why it has ended.
      return session.up.then(() => Promise.reject(cause));
    });
    const version = await within(options.timeout, greeted, machine, signal);
    servers.connected();
    if (restored !== undefined) {
      await within(options.timeout, goOnFrom(machine, session), machine, signal);
    }
    return { machine, session, accelerator, version, end };
  } catch (cause) {
    const failure = machine && restored ? await stateFailure(machine, restored.file, cause) : cause;
    await end();
    throw failure;
  } finally {
    closeSync(initramfs);
  }
}

async function goOnFrom(machine: Machine, session: Session): Promise<void> {
  await stateRead(machine.qmp);
  session.greetRestored();
  await goOn(machine.qmp);
}

/** Where QEMU has ended over the state of a snapshot its words say why. */
async function stateFailure(machine: Machine, file: string, cause: unknown): Promise<unknown> {
  if (!(cause instanceof errors.BundleError) || cause.code !== "E_VM_START") return cause;
  const how = await Promise.race([machine.ended, sleep(ENDING)]);
  if (how === undefined) return cause;
  const actual = machine.words || "no word of QEMU's";
  return errors.vmSnapshot(file, `QEMU ended over its state (${how})`, { actual, cause });
}

/** @throws E_VM_VOLUME, E_TMPDIR; the reason of an aborted signal */
async function share(
  servers: VolumeServers,
  boot: Boot | undefined,
  volumes: readonly Volume[],
  signal: AbortSignal,
): Promise<SharedFolder[]> {
  const carrier = boot?.carrier;
  if (carrier === undefined) return [];
  if (carrier.type === "9p") {
    return volumes.map(({ source, readOnly }) => ({ type: "9p", source, readOnly }));
  }
  const sockets = await servers.start(carrier.virtiofsd, volumes, signal);
  return sockets.map((socket) => ({ type: "virtiofs", socket }));
}

/** A descriptor of a file without a name, which QEMU reads by its number: it may hold secrets. */
function initramfsOf({ disks, options, window }: StartRequest, boot: Boot): number {
  const text = (key: RunRecord[0], values: readonly string[]): RunRecord[] =>
    values.map((value) => [key, value]);
  const bytes = boot.initramfs([
    ["transport", "virtio"],
    ["end", "reset"],
    ["time", clockText(Date.now())],
    ["seed", randomBytes(SEED_BYTES).toString("hex")],
    ...text("arg", options.args),
    ...text("env", options.env),
    ...(options.workdir === undefined ? [] : text("cwd", [options.workdir])),
    ...(window === undefined ? [] : text("tty", [`${window.rows} ${window.columns}`])),
    ...(disks.root === undefined ? [] : text("root", ["yes"])),
    ...networkRecords(options.network),
    ...options.volumes.map(
      ({ target, readOnly }, index) =>
        [
          "volume",
          `${boot.carrier?.type} ${volumeTag(index)} ${readOnly ? "ro" : "rw"} ${target}`,
        ] as const,
    ),
  ]);
  const folder = workFolder();
  try {
    const file = path.join(folder, "initramfs");
    try {
      writeFileSync(file, bytes, { mode: 0o600 });
    } catch (cause) {
      throw errors.outputFailed(file, "writing the initramfs", cause);
    }
    return openSync(file, "r");
  } finally {
    removeTemporary(folder);
  }
}

/** @throws E_VM_TIMEOUT; the reason of an aborted signal */
async function within<T>(
  milliseconds: number,
  work: Promise<T>,
  machine: Machine,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  let clock: NodeJS.Timeout | undefined;
  let aborted = () => {};
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        const late = () => reject(lateness(machine, milliseconds / 1000));
        clock = setTimeout(late, milliseconds);
        aborted = () => reject(signal.reason);
        signal.addEventListener("abort", aborted, { once: true });
      }),
    ]);
  } finally {
    clearTimeout(clock);
    signal.removeEventListener("abort", aborted);
  }
}

function lateness({ console, memory }: Machine, seconds: number): errors.BundleError {
  const words = console.words();
  return console.lacksMemory(memory) ? errors.vmMemory(words) : errors.vmTimeout(seconds, words);
}
