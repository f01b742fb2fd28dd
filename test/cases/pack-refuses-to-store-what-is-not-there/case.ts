import type { Case } from "../../support/case.ts";

export default {
  files: { "app/x": "x" },
  args: ["pack", "app", "-o", "out.sfs", "--store", "y*"],
  status: 2,
  code: "E_OPTION_VALUE",
  stderr: /--store .* found "y\*", which matches none\n.* "\*\*\/y\*" finds it in every folder/,
} satisfies Case;
