import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { writeFiles } from "../../../support/case.ts";
import { userStrategy } from "../../../support/packed.ts";
import { startsOf } from "../../../support/start.ts";

/** One file that is not even executable, with an argument of its own. */
export default {
  make(dir) {
    const script =
      '#!/usr/bin/env -S sh -e\nprintf "<%s>" "$0" "$@"\necho "$HOME ${SECRET-unset}"\n';
    writeFiles(dir, { "say.sh": Buffer.from(` ${script}`).subarray(1) });
    return ["say.sh", "--arg", "${FUSELAGE_BUNDLE_DIR}/x $HOME", "--unset-env=SECRET"];
  },
  says: /^kind: plain \(a script, it starts with #!\)$/m,
  async check({ run, home, root }) {
    const { stdout, status } = await run(["last"], { env: { SECRET: "told" } });
    expect(status).toBe(0);
    const place = `${startsOf({ root, strategy: userStrategy() })}/[0-9]+/static/say`;
    expect(stdout).toMatch(
      new RegExp(`^<${place}/bin/say.sh><${place}/x \\$HOME><last>${home} unset\n$`),
    );
  },
} satisfies AppCase;
