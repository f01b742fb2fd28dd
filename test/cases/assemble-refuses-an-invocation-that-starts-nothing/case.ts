import { assembleArgs, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: assembleArgs("--static=app:/proc/self/exe"),
  code: "E_USAGE",
  status: 2,
  stderr: /expected a command, or --run PATH/,
} satisfies Case;
