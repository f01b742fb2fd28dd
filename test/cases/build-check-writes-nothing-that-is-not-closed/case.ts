import type { Case } from "../../support/case.ts";

// A script beside the entrypoint, which the build itself does not look at.
export default {
  files: { "app/bin/app": "#!/bin/sh\n", "app/more/tool": "#!/usr/bin/env no-such-shell\n" },
  args: ["build", "app", "-o", "out", "--check"],
  code: "E_NOT_CLOSED",
  stderr:
    /out: it names one thing that is neither in it nor on every target: more\/tool is run by no-such-shell, .* \[W_INTERPRETER\]/,
} satisfies Case;
