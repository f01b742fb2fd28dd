import { describe, expect, test } from "vitest";
import { hostLibraries } from "../../../builder/generated/spec.ts";
import { hostLibrary } from "../../../builder/libraries/host-libraries.ts";

describe("libraries of the target", () => {
  test.each([
    ["libc.so.6", "libc"],
    ["ld-linux-x86-64.so.2", "libc"],
    ["ld-linux-aarch64.so.1", "libc"],
    ["ld-musl-x86_64.so.1", "libc"],
    ["libnss_files.so.2", "nss"],
    ["libGL.so.1", "GL"],
    ["libdrm_intel.so.1", "GL"],
  ])("%s is one, of family %s", (name, family) => {
    expect(hostLibrary(name)).toMatchObject({ family });
  });

  test.each(["libstdc++.so.6", "libgcc_s.so.1", "libcrypt.so.1", "libX11.so.6", "xlibc.so.6"])(
    "%s is none",
    (name) => {
      expect(hostLibrary(name)).toBeUndefined();
    },
  );

  test("each has a reason", () => {
    for (const { reason, names } of hostLibraries) {
      expect(names.length).toBeGreaterThan(0);
      expect(reason).toMatch(/^[a-zA-Z].{20,}[^.]$/);
    }
  });
});
