/** A machine as a process: QEMU, and the channels to it and to the guest. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import * as errors from "../../errors.ts";
import type { guestProtocol } from "../../generated/spec.ts";
import { endWithProcess } from "../../host/command.ts";
import { endsWithParent } from "./child.ts";
import { ConsoleTail } from "./console.ts";
import { FD, type QemuPlan, qemuArguments } from "./qemu-arguments.ts";
import { Qmp } from "./qmp.ts";

type StreamName = (typeof guestProtocol.streams)[number]["name"];

/** Characters of QEMU's own words that are kept. */
const WORDS = 4000;

export class Machine {
  readonly streams: Readonly<Record<StreamName, Duplex>>;
  readonly qmp: Qmp;
  readonly console = new ConsoleTail();
  /** Resolves when QEMU has ended, to how it did. */
  readonly ended: Promise<string>;
  readonly pid: number;
  /** MiB */
  readonly memory: number;
  readonly #child: ChildProcess;
  #words = "";

  /**
   * Starts QEMU. Its channels are socket pairs, so they have no names that could be taken or left behind. It is in a
   * session of its own: a terminal's Ctrl-C is the app's.
   *
   * @param initramfs descriptor @param state descriptor of a snapshot, at the start of the state
   */
  constructor(qemu: string, plan: QemuPlan, initramfs: number, state?: number) {
    const [command = "", ...words] = endsWithParent([qemu, ...qemuArguments(plan)]);
    this.memory = plan.memory;
    const channels = Array<"pipe">(FD.initramfs - FD.ctl).fill("pipe");
    const { app, root } = plan.disks;
    const kernel = plan.boot?.kernel ?? "ignore";
    const files = [initramfs, state ?? "ignore", app.fd, root?.fd ?? "ignore", kernel] as const;
    const child = spawn(command, words, {
      detached: true,
      stdio: ["ignore", "ignore", "pipe", ...channels, ...files],
    });
    this.#child = child;
    this.pid = child.pid ?? 0;
    const forget = endWithProcess(() => child.kill("SIGKILL"));
    this.ended = new Promise((resolve) => {
      child.on("error", (cause) => resolve(errors.systemReason(cause)));
      child.on("exit", (status, signal) => {
        forget();
        // What it said last has arrived by then.
        setImmediate(() => resolve(signal === null ? `exit status ${status}` : signal));
      });
    });
    const at = (fd: number) => child.stdio[fd] as Duplex;
    for (const fd of Object.values(FD)) at(fd)?.on("error", () => {});
    this.streams = { ctl: at(FD.ctl), in: at(FD.in), out: at(FD.out), err: at(FD.err) };
    this.qmp = new Qmp(at(FD.qmp));
    at(FD.console)
      .setEncoding("latin1")
      .on("data", (text: string) => this.console.add(text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#words = (this.#words + text).slice(-WORDS);
    });
  }

  /** What QEMU itself said, in one line. */
  get words(): string {
    return this.#words
      .trim()
      .replaceAll(/^\S*qemu-system-\S+: /gm, "")
      .replaceAll("\n", "; ");
  }

  /** Ends it at once: the disk is read-only, and volumes were unmounted by the guest. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
    for (const stream of this.#child.stdio) stream?.destroy();
  }
}
