import { type Case, program } from "../../support/case.ts";

export default {
  files: { app: program },
  args: ["build", "app", "-o", "out", "--entry", "app"],
  code: "E_OPTION_CONFLICT",
  status: 2,
} satisfies Case;
