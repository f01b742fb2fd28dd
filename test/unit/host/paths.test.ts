import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { credentialsFile } from "../../../builder/deploy/credentials.ts";
import {
  addonPath,
  architectures,
  baseDirectory,
  cacheDirectory,
  configDirectory,
  frontPath,
  hostArchitecture,
  packageRoot,
  runtimePath,
} from "../../../builder/host/paths.ts";
import { authFiles } from "../../../builder/oci/registry/credentials.ts";
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

test("base directories that are relative are ignored, as their specification has it", () => {
  for (const given of ["relative", "./x", ""]) {
    const names = ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"];
    const env = { HOME: "/srv/a", ...Object.fromEntries(names.map((name) => [name, given])) };
    expect(configDirectory(env)).toBe("/srv/a/.config");
    expect(cacheDirectory(env)).toBe("/srv/a/.cache/fuselage-bundle");
    expect(baseDirectory("XDG_RUNTIME_DIR", env)).toBeUndefined();
    expect(credentialsFile(env)).toBe("/srv/a/.config/fuse/config.yaml");
    expect(authFiles(env)[0]).toBe("/srv/a/.config/containers/auth.json");
  }
  expect(configDirectory({ HOME: "/srv/a", XDG_CONFIG_HOME: "/etc/a" })).toBe("/etc/a");
});
