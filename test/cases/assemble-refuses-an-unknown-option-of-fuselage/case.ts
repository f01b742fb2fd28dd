import { assembleArgs, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: assembleArgs("--statik=app:/proc/self/exe", "--run", "bin/app"),
  code: "E_USAGE",
  status: 2,
  stderr: /"--statik=app:\/proc\/self\/exe": there is no such option/,
} satisfies Case;
