import { describe, expect, test } from "vitest";
import { isForeignCode } from "../../../../builder/app/node/foreign.ts";
import type { Target } from "../../../../builder/app/node/target.ts";
import { elfHead, peHead } from "../../../support/machine-code.ts";

const x64: Target = { arch: "x64", machine: 62, libc: "glibc" };
const arm64: Target = { arch: "arm64", machine: 183, libc: "glibc" };
const text = (start: string, size = 128) => Buffer.from(start.padEnd(size, "\0"), "latin1");

describe("what no Linux of a machine loads is foreign:", () => {
  test.each<[string, Buffer, Target]>([
    ["a program for aarch64 on x64", elfHead({ machine: 183 }), x64],
    ["a program for x86_64 on arm64", elfHead({ machine: 62 }), arm64],
    ["a 32-bit program for x86 on arm64", elfHead({ machine: 3, bits: 32 }), arm64],
    [
      "a library for s390x, whose bytes stand the other way",
      elfHead({ machine: 22, big: true }),
      x64,
    ],
    ["a library for big-endian mips", elfHead({ machine: 8, bits: 32, big: true }), x64],
    ["a program for FreeBSD on the same processor", elfHead({ machine: 62, osabi: 9 }), x64],
    ["a static program without a dynamic segment", elfHead({ machine: 183, segment: 7 }), x64],
    ["a program of Windows", peHead({}), x64],
    ["a 32-bit library of Windows", peHead({ bits: 32 }), x64],
    ["a Mach-O library", text("\xcf\xfa\xed\xfe"), x64],
    ["a Mach-O file for two processors", text("\xca\xfe\xba\xbe\0\0\0\x02"), arm64],
    ["debug information of Windows", text("Microsoft C/C++ MSF 7.00\r\n\x1aDS"), x64],
  ])("%s", (_, head, target) => {
    expect(isForeignCode(head, target)).toBe(true);
  });
});

describe("what a target may have a use for is not:", () => {
  test.each<[string, Buffer, Target]>([
    ["a program for the machine", elfHead({ machine: 62 }), x64],
    ["a 32-bit program for x86, which its kernel runs", elfHead({ machine: 3, bits: 32 }), x64],
    ["a 32-bit program for arm", elfHead({ machine: 40, bits: 32 }), arm64],
    ["one that says it is for Linux", elfHead({ machine: 62, osabi: 3 }), x64],
    ["a program for the kernel's own machine (BPF)", elfHead({ machine: 247 }), x64],
    ["code for a graphics processor", elfHead({ machine: 190 }), x64],
    ["firmware for an arm microcontroller", elfHead({ machine: 40, bits: 32, segment: 1 }), x64],
    ["an object that is linked later", elfHead({ machine: 183, type: 1 }), x64],
    ["a .NET assembly", peHead({ managed: true }), x64],
    ["a boot loader for EFI", peHead({ subsystem: 10 }), x64],
    ["a Java class", text("\xca\xfe\xba\xbe\0\0\0\x34"), x64],
    ["a text that starts with MZ", text("MZ is how it starts, and no more", 400), x64],
    ["an ELF header that is cut short", elfHead({ machine: 183 }).subarray(0, 60), x64],
    ["one whose table leads out of it", elfHead({ machine: 183 }).subarray(0, 64), x64],
    ["zeros", Buffer.alloc(128), x64],
    ["nothing", Buffer.alloc(0), x64],
  ])("%s", (_, head, target) => {
    expect(isForeignCode(head, target)).toBe(false);
  });
});
