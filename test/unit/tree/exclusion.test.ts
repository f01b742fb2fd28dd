import { expect, test } from "vitest";
import { escapeGlob, exclusion } from "../../../builder/tree/exclusion.ts";

test.each<[string[], string[], string[]]>([
  [[], [], ["a", ""]],
  [["a"], ["a"], ["a/b", "b", "A"]],
  [
    ["./dist/", "/tmp"],
    ["dist", "tmp"],
    ["x/dist", "./dist"],
  ],
  [["*.map"], ["x.map", ".map", ".x.map"], ["d/x.map"]],
  [
    ["**/*.map", "lib/[ab]"],
    ["x.map", "d/e/x.map", "lib/a"],
    ["lib/c", "d/lib/a"],
  ],
  [
    ["a\\*b", "\\[x\\]"],
    ["a*b", "[x]"],
    ["aab", "x"],
  ],
  [["!(a)"], ["b", "c"], ["a"]],
])("%j leaves out %j, not %j", (globs, out, kept) => {
  const excluded = exclusion(globs);
  expect(out.filter((path) => !excluded(path))).toEqual([]);
  expect(kept.filter(excluded)).toEqual([]);
});

test.each(["plain", "a b", "[x]", "a*b?", "{a,b}", "!(x)", "back\\slash", "@+|", "ü/é"])(
  "%j is matched by its own glob alone, however many there are",
  (name) => {
    const others = Array.from({ length: 20_000 }, (_, i) => escapeGlob(`{${i}}/*${i}`));
    const excluded = exclusion([...others, escapeGlob(name)]);
    expect([excluded(name), excluded(`${name}x`), excluded("{7}/*7"), excluded("{7}/77")]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  },
);
