import { writeFileSync } from "node:fs";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  prepare: (dir) => writeFileSync(Buffer.from(`${dir}/app/bad\xff`, "latin1"), ""),
  args: ["pack", "app", "-o", "out.zip"],
  code: "E_PATH_INVALID",
  stderr: /bad\\xff: the name is not UTF-8/,
} satisfies Case;
