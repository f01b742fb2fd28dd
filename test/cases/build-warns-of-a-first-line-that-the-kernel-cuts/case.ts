import type { Case } from "../../support/case.ts";

export default {
  files: { "app/run": `#!/usr/bin/env -S A=${"x".repeat(300)} sh\necho run\n` },
  args: ["build", "app", "-o", "out"],
  stderr:
    /the first line of run is longer than the 255 bytes that the kernel reads: .* \[W_SHEBANG\]/,
} satisfies Case;
