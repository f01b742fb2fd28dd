import { existsSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { addonPath, architectures, packageRoot, runtimePath } from "../../../builder/host/paths.ts";
import { root } from "../../support/process.ts";

test("the package is found from the sources", () => {
  expect(packageRoot()).toBe(root);
  expect(existsSync(path.join(packageRoot(), "package.json"))).toBe(true);
});

test("there is a runtime for each architecture, and an addon for this one", () => {
  for (const arch of architectures) expect(existsSync(runtimePath(arch))).toBe(true);
  expect(existsSync(addonPath())).toBe(true);
});
