import { assembleArgs, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: assembleArgs("--run", "bin/app"),
  code: "E_USAGE",
  status: 2,
  stderr: /--run=bin\/app: expected at least one archive/,
} satisfies Case;
