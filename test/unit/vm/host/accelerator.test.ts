import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { processorOf, whyNoKvm } from "../../../../builder/vm/host/accelerator.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const dir = temporaryDirectory();
const file = (name: string, text: string) => {
  writeFileSync(path.join(dir, name), text);
  return path.join(dir, name);
};
const device = file("kvm", "");

test("no device, or one that may not be opened", () => {
  expect(whyNoKvm(path.join(dir, "none"))).toContain("there is no");
  expect(whyNoKvm(dir)).toContain("may not be opened");
});

test.each([
  ["flags\t\t: fpu vmx sse\n", undefined],
  ["flags\t\t: fpu svm\n", undefined],
  ["flags\t\t: fpu svme vmxx\n", "no virtualization"],
  // Other machines than x86 say nothing of it.
  ["Features\t: fp asimd\n", undefined],
])("a processor that says %j", (text, reason) => {
  const said = whyNoKvm(device, file("cpuinfo", `processor : 0\n${text}bugs : none\n`));
  if (reason === undefined) expect(said).toBeUndefined();
  else expect(said).toContain(reason);
});

test("a processor by KVM is one by its name and what it can do", () => {
  const said = (name: string, flags: string) =>
    processorOf("kvm", device, file("cpuinfo", `model name\t: ${name}\nflags\t\t: ${flags}\n`));
  const one = said("A 1", "fpu vmx sse");
  expect(one).toMatch(/^A 1, flags [0-9a-f]{16}$/);
  expect(said("A 1", "fpu vmx sse")).toBe(one);
  expect(said("A 2", "fpu vmx sse")).not.toBe(one);
  expect(said("A 1", "fpu vmx sse avx")).not.toBe(one);
  expect(processorOf("kvm", path.join(dir, "none"))).toContain("none by KVM: there is no");
  expect(processorOf("tcg", path.join(dir, "none"))).toBe("emulated");
});
