/** The filter of system calls, run by an interpreter of its instructions: what it answers to every number. */
import path from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../../support/process.ts";

const { readSpec } = await import(path.join(root, "scripts/generate/spec.mjs"));
const { sandboxProgram } = await import(path.join(root, "scripts/generate/c-sandbox.mjs"));
const { sandbox, machines } = readSpec();

interface Instruction {
  code: number;
  k: number;
  jt: number;
  jf: number;
}

interface Program {
  code: Instruction[];
  places: { name: string; index: number; verdict: number }[];
}

interface Call {
  number: number;
  arguments: number[];
}

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const errno = (name: string) => 0x50000 + sandbox.answers[name];

/** As linux/filter.h has them; what is no instruction of the filter is an error. */
function answer(program: Instruction[], architecture: number, call: Call, way?: number[]): number {
  const words = [call.number, architecture, 0, 0];
  for (const value of call.arguments) words.push(value, 0);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    way?.push(at);
    const { code, k, jt, jf } = program[at] as Instruction;
    const jump = (taken: boolean) => {
      at += taken ? jt : jf;
    };
    if (code === 0x06) return k;
    if (code === 0x20) accumulator = words[k / 4] as number;
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else throw new Error(`instruction ${code}`);
  }
}

describe.each(machines.built as { name: string; elfMachine: number }[])("on $name", (machine) => {
  const architecture = (0xc0000000 | machine.elfMachine) >>> 0;
  const { column } = sandbox.machines[machine.name];
  /** What is open in each network, by the name that calls have for it. */
  const networks = sandbox.networks as { name: string; opens: string[] }[];

  const made = new Map(
    networks.map((network): [string, Program] => [
      network.name,
      sandboxProgram(sandbox, machine.name, architecture, network),
    ]),
  );

  /** For a network, with these switches on. */
  function programFor(network: string, ...switches: string[]): Instruction[] {
    const { code, places } = made.get(network) as Program;
    const program = code.map((instruction) => ({ ...instruction }));
    for (const { name, index, verdict } of places) {
      if (switches.includes(name)) program[index] = { code: 0x06, k: verdict, jt: 0, jf: 0 };
    }
    return program;
  }
  const programWith = (...switches: string[]) => programFor("ports", ...switches);
  const ask = (program: Instruction[], number: number, ...values: number[]) =>
    answer(program, architecture, { number, arguments: [...values, 0, 0, 0, 0, 0, 0].slice(0, 6) });
  const numberOf = (name: string): number => {
    for (const { numbers } of sandbox.calls) if (numbers[name]) return numbers[name][column];
    throw new Error(name);
  };

  test.each(networks)(
    "every number has the answer that is written down for it ($name)",
    (network) => {
      const refused = new Map<number, number>();
      const listed = new Set<number>();
      for (const { numbers, answer: name, argument, socket, unless } of sandbox.calls) {
        if (network.opens.includes(unless)) continue;
        for (const list of Object.values<number[]>(numbers)) {
          if (list[column] === undefined) continue;
          listed.add(list[column]);
          if (argument === undefined && !socket) refused.set(list[column], errno(name));
        }
      }
      const program = programFor(network.name);
      for (let number = 0; number < 1024; number++) {
        if (listed.has(number) && !refused.has(number)) continue;
        expect([number, ask(program, number)]).toEqual([number, refused.get(number) ?? ALLOW]);
      }
    },
  );

  test("it is short, since each start has the kernel compile it and ask it for every number", () => {
    for (const [network, most] of [
      ["none", 92],
      ["ports", 109],
      ["all", 93],
    ] as const) {
      const program = programFor(network);
      const way: number[] = [];
      const none = [0, 0, 0, 0, 0, 0];
      for (let number = 0; number < 480; number++) {
        answer(program, architecture, { number, arguments: none }, way);
      }
      expect(program.length).toBeLessThan(most);
      expect(way.length / 480).toBeLessThan(10);
    }
  });

  test("another machine's calls end the process, and x32's are not there", () => {
    for (const { name } of networks) {
      const program = programFor(name);
      expect(answer(program, 0x40000003, { number: 1, arguments: [0, 0, 0, 0, 0, 0] })).toBe(KILL);
      for (const number of [480, 0x10000, 0x3fffffff]) expect(ask(program, number)).toBe(ALLOW);
      for (const x32 of [0x40000000, 0x40000027, 0x40000200, 0x7fffffff, 0xffffffff])
        expect(ask(program, x32)).toBe(machine.name === "x86_64" ? errno("ENOSYS") : ALLOW);
    }
  });

  test("a switch opens what stands behind it, and nothing else", () => {
    for (const name of ["debug", "ipc", "listen", "userns"]) {
      for (const { numbers, switch: by, answer: refusal, argument } of sandbox.calls) {
        if (argument !== undefined || refusal === undefined) continue;
        for (const list of Object.values<number[]>(numbers)) {
          if (list[column] === undefined) continue;
          const expected = by === name ? ALLOW : errno(refusal);
          expect(ask(programWith(name), list[column])).toBe(expected);
        }
      }
    }
  });

  test("arguments decide by their bits", () => {
    const program = programWith();
    const NEWUSER = 0x10000000;
    expect(ask(program, numberOf("clone"), 17)).toBe(ALLOW);
    expect(ask(program, numberOf("clone"), NEWUSER | 17)).toBe(errno("EPERM"));
    expect(ask(programWith("userns"), numberOf("clone"), NEWUSER | 17)).toBe(ALLOW);
    expect(ask(program, numberOf("unshare"), 0x400)).toBe(ALLOW);
    expect(ask(program, numberOf("unshare"), 0x80)).toBe(errno("EPERM"));
    expect(ask(program, numberOf("ioctl"), 0, 0x5401)).toBe(ALLOW);
    for (const request of [0x5412, 0x541c]) {
      expect(ask(program, numberOf("ioctl"), 0, request)).toBe(errno("EPERM"));
    }
    expect(ask(program, numberOf("prlimit64"), 0)).toBe(ALLOW);
    expect(ask(program, numberOf("prlimit64"), 7)).toBe(errno("EPERM"));
    expect(ask(program, numberOf("memfd_create"), 0, 1)).toBe(errno("EACCES"));
    expect(ask(program, numberOf("memfd_create"), 0, 9)).toBe(ALLOW);
    expect(ask(programWith("memfd"), numberOf("memfd_create"), 0, 1)).toBe(ALLOW);
    const FASTOPEN = 0x20000000;
    for (const [name, place] of [
      ["sendto", 3],
      ["sendmmsg", 3],
      ["sendmsg", 2],
    ] as const) {
      const values = [0, 0, 0, 0];
      expect(ask(program, numberOf(name), ...values)).toBe(ALLOW);
      values[place] = FASTOPEN | 0x4000;
      expect(ask(program, numberOf(name), ...values)).toBe(errno("EOPNOTSUPP"));
      for (const network of ["none", "all"])
        expect(ask(programFor(network), numberOf(name), ...values)).toBe(ALLOW);
    }
  });

  test("a pair of sockets is of Unix, whatever is open", () => {
    for (const { name } of networks) {
      const pair = (family: number) =>
        ask(programFor(name, "udp", "listen"), numberOf("socketpair"), family, 1, 0);
      expect(pair(1)).toBe(ALLOW);
      for (const family of [0, 2, 10, 16, 17, 30, 38, 40]) {
        expect([family, pair(family)]).toEqual([family, errno("EOPNOTSUPP")]);
      }
    }
  });

  test("sockets are told apart by family, type and protocol", () => {
    const [UNIX, INET, INET6, NETLINK, PACKET, VSOCK] = [1, 2, 10, 16, 17, 40];
    const [STREAM, DGRAM, RAW, CLOEXEC] = [1, 2, 3, 0x80000];
    const socket = (network: string, switches: string[], ...values: number[]) =>
      ask(programFor(network, ...switches), numberOf("socket"), ...values);
    for (const { name } of networks) {
      expect(socket(name, [], UNIX, DGRAM, 0)).toBe(ALLOW);
      expect(socket(name, [], NETLINK, RAW | CLOEXEC, 0)).toBe(ALLOW);
      expect(socket(name, [], NETLINK, RAW, 9)).toBe(errno("EPROTONOSUPPORT"));
      for (const family of [0, 3, 9, 11, PACKET, 38])
        expect(socket(name, [], family, RAW, 0)).toBe(errno("EAFNOSUPPORT"));
      expect(socket(name, [], VSOCK, STREAM, 0)).toBe(
        name === "all" ? ALLOW : errno("EAFNOSUPPORT"),
      );
    }
    for (const family of [INET, INET6]) {
      for (const type of [STREAM, DGRAM, RAW])
        expect(socket("none", ["udp"], family, type, 0)).toBe(errno("EACCES"));
      expect(socket("ports", [], family, STREAM | CLOEXEC, 6)).toBe(ALLOW);
      expect(socket("ports", [], family, STREAM, 0)).toBe(ALLOW);
      for (const protocol of [262, 132, 256]) {
        expect(socket("ports", [], family, STREAM, protocol)).toBe(errno("EPROTONOSUPPORT"));
        expect(socket("all", [], family, STREAM, protocol)).toBe(ALLOW);
      }
      expect(socket("ports", [], family, DGRAM | CLOEXEC, 0)).toBe(errno("EACCES"));
      expect(socket("ports", ["udp"], family, DGRAM | CLOEXEC, 17)).toBe(ALLOW);
      expect(socket("ports", ["udp"], family, RAW, 1)).toBe(errno("EPROTONOSUPPORT"));
    }
  });
});
