import { packApp } from "../../support/archive.ts";
import type { Case } from "../../support/case.ts";

export default {
  prepare: (dir) => packApp(dir),
  args: ["assemble", "--output=out", "--", "true"],
  code: "E_OPTION_MISSING",
  status: 2,
  stderr: /--archive FILE/,
} satisfies Case;
