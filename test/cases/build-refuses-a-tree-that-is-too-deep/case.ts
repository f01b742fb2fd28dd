import { mkdirSync } from "node:fs";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  prepare: (dir) => {
    mkdirSync(`${dir}/app/${"d/".repeat(251)}`, { recursive: true });
  },
  args: ["build", "app", "-o", "out"],
  code: "E_TREE_DEPTH",
  stderr: /expected at most 250 levels, found 251/,
} satisfies Case;
