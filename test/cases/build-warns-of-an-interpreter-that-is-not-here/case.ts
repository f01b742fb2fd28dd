import { expect } from "vitest";
import type { Case } from "../../support/case.ts";

export default {
  files: { "app.sh": "#!/usr/bin/env no-such-shell\n" },
  args: ["build", "app.sh", "-o", "out", "--json"],
  stderr:
    /warning: bin\/app\.sh: .*env look for no-such-shell, which is not in PATH .*\[W_SHEBANG\]/,
  check(_, { stdout }) {
    const { kind, warnings, name } = JSON.parse(stdout);
    expect({ kind, name }).toEqual({ kind: "plain", name: "app" });
    const message = expect.stringContaining("no-such-shell");
    expect(warnings).toEqual([{ code: "W_SHEBANG", message }]);
  },
} satisfies Case;
