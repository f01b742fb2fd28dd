import { assembleArgs, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: assembleArgs("--static=/run/fuselage/a/b:/proc/self/exe", "true"),
  code: "E_ARCHIVE_NAME",
  status: 2,
  stderr: /one path component/,
} satisfies Case;
