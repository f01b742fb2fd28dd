import { readdirSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "out", "--explain"],
  stdout:
    /^kind: plain \(the folder as it is\)\nentry: bin\/app\ninterpreter: \/bin\/sh, the target's.*\ncontents: 17 bytes in 1 file before compression\n$/,
  stderr: /^$/,
  check(dir) {
    expect(readdirSync(dir)).toEqual(["app"]);
  },
} satisfies Case;
