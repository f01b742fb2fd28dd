/** What a machine's console said last, for the words of a failure. */

/** Characters that are kept. */
const KEPT = 16_384;
/** Lines that are shown. */
const SHOWN = 6;

/** Lines that a machine prints whatever becomes of it. */
const NOISE = [
  /^PCI: Fatal: No config space access function found$/,
  /8254 timer not connected to IO-APIC/,
  /^\s*$/,
];

/** Words of a kernel that had too little memory. */
const MEMORY = /[Oo]ut of memory|deadlocked on memory|Initramfs unpacking failed|ENOMEM/;
/** MiB with which kernels of distributions, 50 MiB unpacked, end before they have a console. */
const SPEECHLESS = 64;

export class ConsoleTail {
  #text = "";

  add(part: string): void {
    this.#text = (this.#text + part).slice(-KEPT);
  }

  /** The last lines, without times and control characters. */
  lines(): string[] {
    return this.#text
      .split(/[\r\n]+/)
      .map((line) => line.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, ""))
      .map((line) => line.replace(/^\[ *\d+\.\d+\] /, "").trimEnd())
      .filter((line) => !NOISE.some((noise) => noise.test(line)));
  }

  /** The same in one line; a panic's begins with what it says of itself, not with its call trace. */
  words(): string {
    const all = this.lines();
    if (all.length === 0) return "nothing on its console";
    const trace = all.findIndex((line) => /^Call Trace:/.test(line));
    const lines = trace > 0 ? all.slice(0, trace) : all;
    return `the console's last lines: ${lines.slice(-SHOWN).join("; ")}`;
  }

  /**
   * Whether a kernel said that it had too little memory, or had so little that it could not say even that.
   *
   * @param memory MiB of the machine
   */
  lacksMemory(memory: number): boolean {
    const lines = this.lines();
    return lines.length === 0 ? memory < SPEECHLESS : lines.some((line) => MEMORY.test(line));
  }
}
