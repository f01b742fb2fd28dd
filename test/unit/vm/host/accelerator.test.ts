import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { whyNoKvm } from "../../../../builder/vm/host/accelerator.ts";
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
