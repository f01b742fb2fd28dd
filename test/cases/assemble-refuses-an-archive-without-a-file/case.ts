import { assembleArgs, packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: assembleArgs("--static=app:", "true"),
  code: "E_ARCHIVE_OPEN",
  status: 2,
  stderr: /no file is named/,
} satisfies Case;
