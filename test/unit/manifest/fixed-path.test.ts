import { expect, test } from "vitest";
import { isComponent, isFixedPath } from "../../../builder/manifest/fixed-path.ts";

test.each(["a", "...", "a b", "ü".repeat(127)])("%s is a component", (name) => {
  expect(isComponent(name)).toBe(true);
});

test.each(["", ".", "..", "a/b", "a\0b", "ü".repeat(128)])("%j is none", (name) => {
  expect(isComponent(name)).toBe(false);
});

test.each([
  ["/run/fuselage/a", true],
  ["/run/fuselage/", false],
  ["/run/fuselage/a/b", false],
  ["/run/fuselage/..", false],
  ["/run/fuselagea", false],
  ["run/fuselage/a", false],
])("%s: %s", (path, fixed) => {
  expect(isFixedPath(path)).toBe(fixed);
});
