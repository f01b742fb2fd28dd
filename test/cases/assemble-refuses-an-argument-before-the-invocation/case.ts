import { packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: ["assemble", "--archive=app.sfs", "--output=out", "bash"],
  code: "E_ARGUMENT",
  status: 2,
  stderr: /"bash" is one argument too many[\s\S]*stands behind --/,
} satisfies Case;
