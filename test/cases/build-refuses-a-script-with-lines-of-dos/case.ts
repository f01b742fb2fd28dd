import type { Case } from "../../support/case.ts";

export default {
  files: { "app/bin/app": "#!/bin/sh\r\necho hello\r\n" },
  args: ["build", "app", "-o", "out"],
  code: "E_SHEBANG",
  stderr: /the first line of "bin\/app" ends in CR and LF[\s\S]*dos2unix/,
} satisfies Case;
