import { packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: ["assemble", "--archive=app.sfs", "--output=app.sfs", "--", "true"],
  code: "E_OPTION_CONFLICT",
  status: 2,
  stderr: /the same file/,
} satisfies Case;
