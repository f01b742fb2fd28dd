// runtime/generated/sandbox_filter.h: the filter of system calls of a sandbox, a constant program for each machine.
//
// The kernel runs a filter once for every number when it is installed, to learn which calls are always allowed, and
// once for each of the others when it is made. So it is made here and not at every start: one program for each network
// that rules can give, since what one of them opens takes no instruction. What else a start opens is a switch: places in
// the program where one instruction is replaced by a verdict.

import { constantName, define, enumeration, header } from "./c-text.mjs";

/** @import {SandboxCalls, SandboxNetwork, SandboxSpec, Spec} from "./types.mts" */

/** An instruction: jumps name labels until all are placed. @typedef {{code: number, k: number, yes?: string, no?: string, label?: string}} Instruction */
/** A place that a switch replaces. @typedef {{name: string, label: string, verdict: number}} Place */
/** A program: what jumps name, and where. @typedef {{code: number, k: number, jt: number, jf: number}[]} Program */

// linux/filter.h, linux/seccomp.h
const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const AT_LEAST = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const ANY_BIT = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K
const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const ERRNO = 0x00050000;
const NUMBER = 0; // where struct seccomp_data has them
const ARCHITECTURE = 4;
/** The low half, which is what the kernel looks at, on machines of little-endian order. */
const argument = (/** @type {number} */ index) => 16 + 8 * index;

const X32 = 0x40000000;
/** About how many the kernel has. */
const NUMBERS = 480;

// Families, types and protocols that socket(2) tells apart; linux/socket.h, linux/net.h, linux/in.h.
const UNIX = 1;
const INET = 2;
const INET6 = 10;
const NETLINK = 16;
const VSOCK = 40;
const TYPE = 0xf;
const STREAM = 1;
const DATAGRAM = 2;
const TCP = 6;
const NETLINK_ROUTE = 0;
const NETLINK_UEVENT = 15;

class Assembler {
  /** @type {Instruction[]} */
  instructions = [];
  /** @type {Place[]} */
  places = [];
  /** Verdicts at the end of the program, by label. @type {Map<string, number>} */
  verdicts = new Map([["allow", ALLOW]]);
  count = 0;

  constructor(/** @type {SandboxSpec} */ sandbox) {
    this.answers = sandbox.answers;
  }

  emit(/** @type {Instruction} */ instruction) {
    this.instructions.push(instruction);
  }

  /** A name for a place that comes later. */
  newLabel() {
    return `at ${this.count++}`;
  }

  errno(/** @type {string} */ answer) {
    return ERRNO | this.answers[answer];
  }

  /** The label of a verdict; one that a switch opens is an instruction of its own. */
  verdict(/** @type {string} */ answer, /** @type {string | undefined} */ by = undefined) {
    const label = by === undefined ? answer : `${answer} unless ${by}`;
    if (!this.verdicts.has(label) && by !== undefined) {
      this.places.push({ name: by, label, verdict: ALLOW });
    }
    this.verdicts.set(label, this.errno(answer));
    return label;
  }

  /** Here, a switch ends it. */
  switchHere(/** @type {string} */ name, /** @type {number} */ verdict) {
    const label = this.newLabel();
    this.places.push({ name, label, verdict });
    return label;
  }

  /** @returns {Program} */
  link() {
    for (const [label, k] of this.verdicts) this.emit({ code: RETURN, k, label });
    const at = this.positions();
    return this.instructions.map(({ code, k, yes, no }, index) => {
      const distance = (/** @type {string | undefined} */ label) => {
        const target = label === undefined ? index + 1 : at.get(label);
        if (target === undefined) throw new Error(`sandbox: nothing is called ${label}`);
        if (target <= index || target - index - 1 > 255)
          throw new Error(`sandbox: ${label} is too far`);
        return target - index - 1;
      };
      return { code, k: k >>> 0, jt: distance(yes), jf: distance(no) };
    });
  }

  positions() {
    /** @type {Map<string, number>} */
    const at = new Map();
    for (const [index, { label }] of this.instructions.entries()) {
      for (const name of label?.split("|") ?? []) at.set(name, index);
    }
    return at;
  }
}

/** socket(2): its family, and of the internet families type and protocol. */
function socketLeaf(
  /** @type {Assembler} */ program,
  /** @type {SandboxNetwork["internet"]} */ internet,
  /** @type {string} */ label,
) {
  const [netlink, some, stream] = [1, 2, 3].map(() => program.newLabel());
  const isFamily = (/** @type {number} */ k, /** @type {string} */ yes) =>
    program.emit({ code: EQUAL, k, yes });
  const refused = program.verdict("EAFNOSUPPORT");
  const inet = { none: program.verdict("EACCES"), tcp: some, all: "allow" }[internet];
  program.emit({ code: LOAD, k: argument(0), label });
  isFamily(UNIX, "allow");
  isFamily(NETLINK, netlink);
  isFamily(INET, inet);
  if (internet === "all") isFamily(VSOCK, "allow");
  program.emit({ code: EQUAL, k: INET6, yes: inet, no: refused });

  program.emit({ code: LOAD, k: argument(2), label: netlink });
  isFamily(NETLINK_ROUTE, "allow");
  program.emit({
    code: EQUAL,
    k: NETLINK_UEVENT,
    yes: "allow",
    no: program.verdict("EPROTONOSUPPORT"),
  });
  if (internet !== "tcp") return;

  program.emit({ code: LOAD, k: argument(1), label: some });
  program.emit({ code: AND, k: TYPE });
  isFamily(STREAM, stream);
  program.emit({
    code: EQUAL,
    k: DATAGRAM,
    yes: program.verdict("EACCES", "udp"),
    no: program.verdict("EPROTONOSUPPORT"),
  });

  program.emit({ code: LOAD, k: argument(2), label: stream });
  isFamily(0, "allow");
  program.emit({ code: EQUAL, k: TCP, yes: "allow", no: program.verdict("EPROTONOSUPPORT") });
}

/** What an argument decides. */
function argumentLeaf(
  /** @type {Assembler} */ program,
  /** @type {SandboxCalls} */ calls,
  /** @type {string} */ label,
) {
  const { answer = "", switch: by, argument: index = 0, anyBits, noBits, oneOf = [], only } = calls;
  const refused = program.verdict(answer);
  const labels = by === undefined ? label : `${label}|${program.switchHere(by, ALLOW)}`;
  program.emit({ code: LOAD, k: argument(index), label: labels });
  if (anyBits !== undefined) program.emit({ code: ANY_BIT, k: anyBits, yes: refused, no: "allow" });
  if (noBits !== undefined) program.emit({ code: ANY_BIT, k: noBits, yes: "allow", no: refused });
  if (only !== undefined) program.emit({ code: EQUAL, k: only, yes: "allow", no: refused });
  for (const [place, value] of oneOf.entries()) {
    const last = place === oneOf.length - 1;
    program.emit({ code: EQUAL, k: value, yes: refused, ...(last && { no: "allow" }) });
  }
}

/** Where numbers lead that stand together, in order: a gap leads to "allow". */
function segmentsOf(/** @type {Map<number, string>} */ targets) {
  const segments = [{ from: 0, to: "allow" }];
  for (const [number, target] of [...targets].sort(([a], [b]) => a - b)) {
    const last = segments[segments.length - 1];
    if (last.from === number) last.to = target;
    else if (last.to !== target) segments.push({ from: number, to: target });
    segments.push({ from: number + 1, to: "allow" });
  }
  return segments.filter(({ to }, index) => index === 0 || segments[index - 1].to !== to);
}

/**
 * What decides among some of the segments: one compared number after the other, all else being `base`, or a `split`.
 * @typedef {{cost: number, base?: string, split?: number}} Decision
 */

/** How many of the kernel's numbers could be asked for in the time that it takes to compile one instruction more. */
const INSTRUCTION = 100;
/** Without a place to fall through to, a comparison is two instructions of the kernel's own. */
const comparison = (/** @type {boolean} */ jumps) => INSTRUCTION * (jumps ? 2 : 1);

/**
 * What it takes to compare numbers one by one, where nothing but single ones (or pairs of them) differ from the rest.
 *
 * @param {{to: string, numbers: number, asked: number}[]} segments `asked`: those of the numbers that the kernel asks for
 * @param {string} base
 */
function chainCost(segments, base) {
  const others = segments.filter(({ to }) => to !== base);
  if (others.some(({ numbers }) => numbers > 2)) return Number.POSITIVE_INFINITY;
  const tests = others.reduce((sum, { numbers }) => sum + numbers, 0);
  const asked = segments.reduce((sum, segment) => sum + segment.asked, 0);
  return comparison(false) * (tests - 1) + comparison(true) + asked * tests;
}

/**
 * For segments `from` to `to` (exclusive) what costs least. The kernel compiles the filter at each start, which takes
 * as long as it has instructions, and then asks it for every number.
 *
 * @param {ReturnType<typeof segmentsOf>} segments
 */
function decisionsOf(segments) {
  const sized = segments.map((segment, index) => {
    const end = segments[index + 1]?.from ?? Number.POSITIVE_INFINITY;
    const asked = Math.min(end, NUMBERS) - Math.min(segment.from, NUMBERS);
    return { ...segment, numbers: end - segment.from, asked };
  });
  /** @type {Decision[][]} */
  const best = segments.map(() => []);
  for (let count = 1; count <= segments.length; count++) {
    for (let from = 0; from + count <= segments.length; from++) {
      const to = from + count;
      const some = sized.slice(from, to);
      const asked = some.reduce((sum, segment) => sum + segment.asked, 0);
      /** @type {Decision} */
      let found = { cost: count === 1 ? 0 : Number.POSITIVE_INFINITY };
      for (const base of count === 1 ? [] : new Set(some.map((segment) => segment.to))) {
        const cost = chainCost(some, base);
        if (cost < found.cost) found = { cost, base };
      }
      for (let split = from + 1; split < to; split++) {
        const below = best[from][split].cost + best[split][to].cost;
        const cost = comparison(count === 2) + asked + below;
        if (cost < found.cost) found = { cost, split };
      }
      best[from][to] = found;
    }
  }
  return best;
}

/** @param {Assembler} program @param {ReturnType<typeof segmentsOf>} segments */
function tree(program, segments) {
  const decisions = decisionsOf(segments);
  /** @param {number} from @param {number} to @param {string} base @param {string} [label] */
  const chain = (from, to, base, label) => {
    const tests = segments.slice(from, to).flatMap((segment, index) => {
      const end = segments[from + index + 1]?.from ?? segment.from;
      const numbers = segment.to === base ? 0 : end - segment.from;
      return Array.from({ length: numbers }, (_, n) => ({ k: segment.from + n, yes: segment.to }));
    });
    for (const [index, { k, yes }] of tests.entries()) {
      const last = index === tests.length - 1;
      program.emit({ code: EQUAL, k, yes, ...(last && { no: base }), ...(!index && { label }) });
    }
  };
  /** @param {number} from @param {number} to @param {string} [label] */
  const decide = (from, to, label) => {
    const { split, base } = decisions[from][to];
    if (base !== undefined) return chain(from, to, base, label);
    if (split === undefined) throw new Error("sandbox: nothing decides");
    const target = (/** @type {number} */ first, /** @type {number} */ end) =>
      end - first === 1 ? segments[first].to : program.newLabel();
    const [no, yes] = [target(from, split), target(split, to)];
    program.emit({ code: AT_LEAST, k: segments[split].from, yes, no, label });
    if (split - from > 1) decide(from, split, no);
    if (to - split > 1) decide(split, to, yes);
  };
  decide(0, segments.length);
}

/**
 * The program for a machine, and what the switches replace in it.
 *
 * @param {SandboxSpec} sandbox
 * @param {string} machine
 * @param {number} architecture its AUDIT_ARCH of linux/audit.h
 * @param {SandboxNetwork} network
 * @public for its test
 */
export function sandboxProgram(sandbox, machine, architecture, network) {
  const { column } = sandbox.machines[machine];
  const program = new Assembler(sandbox);
  /** @type {Map<number, string>} */
  const targets = new Map();
  /** @type {[SandboxCalls, string][]} */
  const leaves = [];
  for (const calls of sandbox.calls) {
    if (calls.unless !== undefined && network.opens.includes(calls.unless)) continue;
    const plain = !calls.socket && calls.argument === undefined;
    const label = plain ? program.verdict(calls.answer ?? "", calls.switch) : program.newLabel();
    if (!plain) leaves.push([calls, label]);
    for (const numbers of Object.values(calls.numbers)) {
      if (numbers[column] !== undefined) targets.set(numbers[column], label);
    }
  }
  program.verdicts.set("kill", KILL);
  program.emit({ code: LOAD, k: ARCHITECTURE });
  program.emit({ code: EQUAL, k: architecture, no: "kill" });
  program.emit({ code: LOAD, k: NUMBER });
  const segments = segmentsOf(targets);
  if (machine === "x86_64") segments.push({ from: X32, to: program.verdict("ENOSYS") });
  tree(program, segments);
  for (const [calls, label] of leaves) {
    if (calls.socket) socketLeaf(program, network.internet, label);
    else argumentLeaf(program, calls, label);
  }
  const code = program.link();
  const at = program.positions();
  const places = program.places.map(({ name, label, verdict }) => {
    const index = at.get(label);
    if (index === undefined) throw new Error(`sandbox: nothing is called ${label}`);
    return { name, index, verdict };
  });
  return { code, places };
}

/** linux/audit.h: EM_X86_64 and so on, with the flags for 64 bits and little-endian order. */
const architectureOf = (/** @type {number} */ elfMachine) => (0xc0000000 | elfMachine) >>> 0;

const hex = (/** @type {number} */ value) => `0x${(value >>> 0).toString(16)}`;

/** @param {Spec} spec @param {string} machine @param {number} elfMachine @param {SandboxNetwork} network */
function programC({ sandbox }, machine, elfMachine, network) {
  const { code, places } = sandboxProgram(sandbox, machine, architectureOf(elfMachine), network);
  const rows = code.map(({ code: c, jt, jf, k }) => `\t{ ${hex(c)}, ${jt}, ${jf}, ${hex(k)}u },`);
  const switches = places.map(
    ({ name, index, verdict }) =>
      `\t{ SANDBOX_SWITCH_${constantName(name)}, ${index}, ${hex(verdict)}u },`,
  );
  const name = `sandbox_filter_${network.name}`;
  return {
    length: code.length,
    text: `static const struct sock_filter ${name}[] = {\n${rows.join("\n")}\n};
static const struct sandbox_place ${name}_places[] = {\n${switches.join("\n")}\n};`,
    row: `\t{ ${name}, ${name}_places, ${code.length}, ${places.length} },`,
  };
}

/** @param {Spec} spec @param {string} machine @param {number} elfMachine */
function machineC(spec, machine, elfMachine) {
  const { sandbox } = spec;
  const { audit, column } = sandbox.machines[machine];
  const checks = sandbox.calls
    .flatMap(({ numbers }) => Object.entries(numbers))
    .filter(([, list]) => list[column] !== undefined)
    .map(
      ([name, list]) =>
        `#ifdef SYS_${name}\n_Static_assert(SYS_${name} == ${list[column]}, "${name}");\n#endif`,
    );
  const programs = sandbox.networks.map((network) => programC(spec, machine, elfMachine, network));
  return [
    `_Static_assert(${audit} == ${hex(architectureOf(elfMachine))}u, "${machine}");`,
    ...checks,
    ...programs.map(({ text }) => text),
    `static const struct sandbox_filter sandbox_filters[] = {\n${programs.map(({ row }) => row).join("\n")}\n};`,
    define("SANDBOX_FILTER_MOST", `${Math.max(...programs.map(({ length }) => length))}`),
  ].join("\n");
}

/** @param {Spec} spec */
export function cSandboxFilter(spec) {
  const { machines, sandbox } = spec;
  // A machine that is new has no numbers here yet: its runtime says so when it is compiled.
  const known = machines.built.filter(({ name }) => sandbox.machines[name] !== undefined);
  const built = known.map(({ name, elfMachine }, index) => {
    const condition =
      name === "riscv64" ? "defined(__riscv) && __riscv_xlen == 64" : `defined(__${name}__)`;
    return `#${index === 0 ? "if" : "elif"} ${condition}\n${machineC(spec, name, elfMachine)}`;
  });
  return header("sandbox_filter", [
    "#include <linux/audit.h>\n#include <linux/filter.h>\n#include <stdint.h>\n#include <sys/syscall.h>",
    "/* What opens a part of the filter. */\n" +
      enumeration(
        "sandbox_switch",
        sandbox.switches.map(({ name, summary }, index) => [
          `SANDBOX_SWITCH_${constantName(name)}`,
          index,
          summary,
        ]),
      ),
    "/* What of the network it opens: an index of sandbox_filters. */\n" +
      enumeration(
        "sandbox_network",
        sandbox.networks.map(({ name, summary }, index) => [
          `SANDBOX_NETWORK_${constantName(name)}`,
          index,
          summary,
        ]),
      ),
    "/* Where a switch replaces an instruction by a verdict. */\n" +
      "struct sandbox_place {\n\tuint16_t by; /* enum sandbox_switch */\n\tuint16_t at; /* instructions from the first */\n\tuint32_t verdict;\n};",
    "/* A program, and its places. */\n" +
      "struct sandbox_filter {\n\tconst struct sock_filter *code;\n\tconst struct sandbox_place *places;\n\tuint16_t length; /* instructions */\n\tuint16_t place_count;\n};",
    `${built.join("\n")}\n#else\n#error "the system call filter knows ${known.map(({ name }) => name).join(", ")}"\n#endif`,
  ]);
}
