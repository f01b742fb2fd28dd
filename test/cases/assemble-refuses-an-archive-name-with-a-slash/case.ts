import { assembleArgs, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: assembleArgs("--static=a/b:/proc/self/exe", "true"),
  code: "E_ARCHIVE_NAME",
  status: 2,
  stderr: /"--static=a\/b:\/proc\/self\/exe": "a\/b" cannot be a name/,
} satisfies Case;
