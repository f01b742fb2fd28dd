import type { Case } from "../../support/case.ts";

export default {
  files: { "app/x": "x" },
  args: ["pack", "app", "-o", "out.zip", "--no-fragments"],
  status: 2,
  code: "E_OPTION_CONFLICT",
  stderr: /--no-fragments says nothing about a zip file/,
} satisfies Case;
