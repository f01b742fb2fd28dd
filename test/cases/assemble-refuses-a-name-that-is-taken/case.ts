import { assembleArgs, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: assembleArgs("--static=app:/proc/self/exe", "--dynamic-empty=app", "true"),
  code: "E_ARCHIVE_NAME",
  status: 2,
  stderr: /"app" is taken by --static=\/proc\/self\/exe[\s\S]*--dynamic-empty=NAME/,
} satisfies Case;
