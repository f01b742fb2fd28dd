import { assembleArgs, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: assembleArgs("--cache-static=yes", "true"),
  code: "E_USAGE",
  status: 2,
  stderr: /--cache-static takes no value/,
} satisfies Case;
