import type { Case } from "../../support/case.ts";

export default {
  args: ["build", "dockr://nginx:1.29", "-o", "out"],
  code: "E_INPUT_MISSING",
  stderr: 'Did you mean "docker://nginx:1.29"?',
} satisfies Case;
