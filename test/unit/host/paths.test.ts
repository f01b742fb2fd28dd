import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import {
  addonPath,
  architectures,
  frontPath,
  hostArchitecture,
  packageRoot,
  runtimePath,
} from "../../../builder/host/paths.ts";
import { root, run } from "../../support/process.ts";

test("the package is found from the sources", () => {
  expect(packageRoot()).toBe(root);
  expect(existsSync(path.join(packageRoot(), "package.json"))).toBe(true);
});

test("there is a runtime for each architecture, and an addon for this one", () => {
  for (const arch of architectures) expect(existsSync(runtimePath(arch))).toBe(true);
  expect(existsSync(addonPath())).toBe(true);
});

test("the program at the front of a bundle is 256 KiB at most, and smaller than the runner", () => {
  for (const arch of architectures) {
    const { size } = statSync(frontPath(arch));
    expect(size).toBeLessThanOrEqual(256 * 1024);
    expect(size).toBeLessThan(statSync(runtimePath(arch)).size);
  }
});

test("without a bundle behind it the front says what it is", async () => {
  const file = frontPath(hostArchitecture() ?? "x86_64");
  const { status, stdout, stderr } = await run(file, ["--help"]);
  expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
  expect(stderr).toMatch(/^fuselage: \[E_IMAGE_MISSING\] this program /);
});
