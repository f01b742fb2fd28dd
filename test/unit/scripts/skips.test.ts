/** What a machine lacks is told wherever a test is left out for it, and in CI it is a failure. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { root } from "../../support/process.ts";

test("no test is left out but by needs.ts", () => {
  const files = readdirSync(path.join(root, "test"), { recursive: true, encoding: "utf8" });
  const leavingOut = files.filter(
    (name) =>
      name.endsWith(".ts") &&
      /\b(test|it|describe)\.(skip|skipIf|runIf|only|todo)\b/.test(
        readFileSync(path.join(root, "test", name), "utf8"),
      ),
  );
  expect(leavingOut).toEqual(["support/needs.ts"]);
});
