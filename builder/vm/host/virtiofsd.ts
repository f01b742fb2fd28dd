/** Processes of virtiofsd's, one for each folder that is shared by virtiofs. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as errors from "../../errors.ts";
import { endWithProcess, runTool } from "../../host/command.ts";
import { removeTemporary, workFolder } from "../../host/temporary.ts";
import { endsWithParent } from "./child.ts";
import { findProgram } from "./vmm.ts";
import type { Volume } from "./volumes.ts";

/** Where distributions put the server: Debian 12 with QEMU, others by itself. */
const PLACES = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd"];

/** A server of virtiofs. */
export interface Virtiofsd {
  program: string;
  /** The newer one, in Rust, has other options. */
  isRust: boolean;
  /** Whether it can refuse changes itself. */
  hasReadOnly: boolean;
}

/** @returns undefined where none is installed */
export async function findVirtiofsd(): Promise<Virtiofsd | undefined> {
  const program = findProgram("virtiofsd", PLACES);
  if (program === undefined) return undefined;
  const help = await runTool(program, ["--help"]);
  const text = `${help?.stdout}${help?.stderr}`;
  return {
    program,
    isRust: text.includes("--shared-dir"),
    hasReadOnly: /--readonly\b/.test(text),
  };
}

/**
 * The server, or why it cannot share these for a user, in words.
 *
 * @internal
 */
export function usableVirtiofsd(
  virtiofsd: Virtiofsd | undefined,
  volumes: readonly Volume[],
  isRoot: boolean,
): Virtiofsd | string {
  if (virtiofsd === undefined) return "virtiofsd is not installed";
  const { program, isRust, hasReadOnly } = virtiofsd;
  if (isRoot) return virtiofsd;
  if (!isRust) return `${program} shares folders for root alone`;
  const needsView = volumes.some(({ readOnly }) => readOnly) && !hasReadOnly;
  return needsView ? `${program} shares nothing read-only but for root` : virtiofsd;
}

/**
 * Shows the folder read-only to the program behind: what a guest asks for does not count, its kernel is the guest's.
 * The folder is bound over itself in a mount namespace of the program's own. File systems that are mounted below
 * it are not in that view.
 */
const READ_ONLY = [
  'mount --bind -- "$0" "$0"',
  'mount -o remount,bind,ro -- "$0"',
  'exec "$@"',
].join(" && ");

/**
 * How the server of a volume is started.
 *
 * @internal
 */
export function serverCommand(
  { program, isRust, hasReadOnly }: Virtiofsd,
  { source, readOnly }: Volume,
  socket: string,
): string[] {
  const common = [program, `--socket-path=${socket}`];
  const server = isRust
    ? [...common, `--shared-dir=${source}`, "--cache=auto"]
    : [...common, "-o", `source=${source.replace(/[\\,]/g, "\\$&")}`, "-o", "cache=auto"];
  if (!readOnly) return server;
  if (hasReadOnly) return [...server, "--readonly"];
  const unshare = ["unshare", "--mount", "--propagation", "private"];
  return [...unshare, "--", "sh", "-c", READ_ONLY, source, ...server];
}

/** How long a server may take to listen, and to end when QEMU has, ms. */
const PATIENCE = 5000;
/** How often that is looked at, ms. */
const LOOK = 5;

/** Where the older server says, for the time of its life, that the path of its socket is taken. */
const lockOf = (socket: string) => `/var/run/virtiofsd/${socket.replaceAll("/", ".")}.pid`;

/** `__SO_ACCEPTCON` of the kernel's include/linux/net.h, which is among a socket's flags from listen(2) on. */
const ACCEPTS = 1 << 16;

/** Whether somebody can connect to it: its path is there before, from bind(2) on. */
function isListening(socket: string): boolean {
  if (!existsSync(socket)) return false;
  let table: string;
  try {
    table = readFileSync("/proc/net/unix", "latin1");
  } catch {
    return true; // It cannot be known.
  }
  const line = table.split("\n").find((one) => one.endsWith(` ${socket}`));
  // One of another network is not in the table.
  const flags = line?.split(" ")[3];
  return flags === undefined || (Number.parseInt(flags, 16) & ACCEPTS) !== 0;
}

/** Servers of all volumes, while a machine runs. */
export class VolumeServers {
  readonly #children: ChildProcess[] = [];
  readonly #sockets: string[] = [];
  readonly #forget: (() => void)[] = [];
  #folder: string | undefined;
  #words = "";

  /**
   * Starts them.
   *
   * @returns a socket for each, that QEMU connects to
   * @throws E_VM_VOLUME, E_TMPDIR; the reason of an aborted signal
   */
  async start(
    virtiofsd: Virtiofsd,
    volumes: readonly Volume[],
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    this.#folder = workFolder();
    for (const [index, volume] of volumes.entries()) {
      const socket = path.join(this.#folder, `v${index}`);
      this.#sockets.push(socket);
      const child = this.#spawn(serverCommand(virtiofsd, volume, socket));
      const end = performance.now() + PATIENCE;
      while (!isListening(socket)) {
        signal.throwIfAborted();
        const isLate = performance.now() > end;
        if (isLate || child.exitCode !== null || child.pid === undefined) {
          const words = this.#words.trim().replaceAll("\n", "; ");
          throw errors.vmVolume(
            volume.source,
            `virtiofsd does not start: ${words || "it is silent"}`,
          );
        }
        await sleep(LOOK);
      }
    }
    return this.#sockets;
  }

  #spawn(words: readonly string[]): ChildProcess {
    const [command = "", ...args] = endsWithParent(words);
    const child = spawn(command, args, { detached: true, stdio: ["ignore", "ignore", "pipe"] });
    this.#forget.push(endWithProcess(() => child.kill("SIGKILL")));
    this.#children.push(child);
    child.on("error", (cause) => {
      this.#words += errors.systemReason(cause);
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#words = (this.#words + text).slice(-1000);
    });
    return child;
  }

  /** QEMU is connected to all of them: what could be left behind by a kill goes. */
  connected(): void {
    for (const socket of this.#sockets.splice(0)) rmSync(lockOf(socket), { force: true });
    if (this.#folder !== undefined) removeTemporary(this.#folder);
    this.#folder = undefined;
  }

  /** Ends them; those that QEMU has left end by themselves, when all is written. */
  async end(): Promise<void> {
    for (const child of this.#children.splice(0)) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      // Nobody has ever connected to it, so it would wait.
      if (this.#folder !== undefined) child.kill("SIGKILL");
      const clock = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
      await gone;
      clearTimeout(clock);
    }
    this.connected();
    for (const forget of this.#forget.splice(0)) forget();
  }
}
