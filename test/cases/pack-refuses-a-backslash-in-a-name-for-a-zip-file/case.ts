import { writeFileSync } from "node:fs";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  prepare: (dir) => writeFileSync(`${dir}/app/back\\slash`, ""),
  args: ["pack", "app", "-o", "out.zip"],
  code: "E_PATH_INVALID",
  stderr: /unzip takes for/,
} satisfies Case;
