import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import * as errors from "../../builder/errors.ts";
import { root } from "../support/process.ts";

function failure(code: string): Error {
  return Object.assign(new Error("words of Node"), { code });
}

test("factories are sorted by their codes", () => {
  const source = readFileSync(path.join(root, "builder/errors.ts"), "utf8");
  const codes = [...source.matchAll(/BundleError\(\s*"(E_[A-Z_]+)"/g)].map(([, code]) => code);
  const firsts = codes.filter((code, index) => codes.indexOf(code) === index);
  expect(firsts.length).toBeGreaterThan(30);
  const groups = codes.filter((code, index) => code !== codes[index - 1]);
  expect(groups.filter((code) => !code?.startsWith("E_OUTPUT_"))).toEqual(
    firsts.filter((code) => !code?.startsWith("E_OUTPUT_")).toSorted(),
  );
});

describe("a failed output gets the code that fits its reason:", () => {
  test.each([
    ["ENOSPC", "E_OUTPUT_NO_SPACE", "no space left"],
    ["EDQUOT", "E_OUTPUT_NO_SPACE", "quota"],
    ["EACCES", "E_OUTPUT_PERMISSION", "permission denied"],
    ["EROFS", "E_OUTPUT_PERMISSION", "read-only"],
    ["EIO", "E_OUTPUT_FAILED", "input/output error"],
    ["EWEIRD", "E_OUTPUT_FAILED", "words of Node"],
  ])("%s", (errno, code, words) => {
    const error = errors.outputFailed("out", "writing", failure(errno));
    expect(error).toMatchObject({ code, path: "out", exitStatus: 1 });
    expect(error.message).toContain(words);
  });
});

describe("too few descriptors are the same failure whatever met them:", () => {
  const cause = failure("EMFILE");
  test.each([
    ["a file that is read", errors.fileUnreadable("x", cause)],
    ["a file that is written", errors.outputFailed("x", "writing", cause)],
    ["a temporary folder", errors.tmpdir("x", cause)],
    ["the addon", errors.addon("x", cause)],
    ["what nobody foresaw", errors.internal(cause)],
    ["a failure of another", errors.internal(new Error("words", { cause }))],
  ])("%s", (_, error) => {
    expect(error).toMatchObject({ code: "E_LIMIT", hint: expect.stringContaining("ulimit -a") });
  });
});

test("errno is read from failed system calls only", () => {
  expect(errors.errnoCode(failure("ENOENT"))).toBe("ENOENT");
  expect(errors.errnoCode(failure("ERR_INVALID_ARG_TYPE"))).toBeUndefined();
  expect(errors.errnoCode(errors.inputEmpty("x"))).toBeUndefined();
  expect(errors.errnoCode("ENOENT")).toBeUndefined();
});

test("a hint of the failure's own stands before the code's", () => {
  expect(errors.fileKind("x", "fifo").hint).toContain("devices: true");
  expect(errors.fileKind("x", "socket", "no content").hint).toBe("no content");
});

test("a wrong command line is told from a failure by its exit status", () => {
  expect(errors.optionUnknown("--x", undefined).exitStatus).toBe(2);
  expect(errors.inputEmpty("x").exitStatus).toBe(1);
});

test("what the runtime says of a mount keeps its code, its words and its hint", () => {
  const said = "fuselage: [E_MOUNT_POINT] d: Not a directory\n  Make it first.\n";
  expect(errors.mountRefused("f", said)).toMatchObject({
    code: "E_MOUNT_POINT",
    message: "d: Not a directory",
    hint: "Make it first.",
    exitStatus: 1,
  });
  const reasons = "fuselage: [E_MOUNT_REFUSED] f: no (auto)\n  loop: a\n  fuse: b\n  To do.\n";
  expect(errors.mountRefused("f", reasons)).toMatchObject({
    code: "E_MOUNT_REFUSED",
    message: "f: no (auto); loop: a; fuse: b",
    hint: "To do.",
  });
  expect(errors.mountRefused("f", "Killed").message).toBe("f: cannot be mounted: Killed");
});

test("what a machine lacks is advised to be in the bundle, and what else fails by its console", () => {
  const lacking = errors.vmGuest("E_ENTRY_INTERPRETER", "run: #!/bin/sh");
  expect(lacking).toMatchObject({ code: "E_VM_START" });
  expect(lacking.hint).toContain("in the bundle");
  expect(errors.vmGuest("E_LOOP", "no device").hint).toContain("console");
});
