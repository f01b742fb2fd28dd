import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  needs: ["gcc"],
  prepare(cwd) {
    writeFileSync(path.join(cwd, "a.cc"), "#include <iostream>\nint main() { std::cout << 1; }\n");
    execFileSync("g++", ["a.cc", "-o", "program"], { cwd });
  },
  args: ["build", "program", "-o", "one", "--with-libs", "--threads=1"],
  async check(cwd) {
    const env = { LD_LIBRARY_PATH: "/nowhere", TMPDIR: cwd, TZ: "Asia/Tokyo" };
    await bundle(["build", "program", "-o", "two", "--with-libs"], { cwd, env });
    const [one, two] = ["one", "two"].map((name) => readFileSync(path.join(cwd, name)));
    expect(one?.equals(two ?? Buffer.alloc(0))).toBe(true);
  },
} satisfies Case;
