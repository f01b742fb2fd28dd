import { chmodSync } from "node:fs";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { asUser } from "../../support/process.ts";

export default {
  asUser: true,
  // A program that came by way of a file system without permissions.
  files: { "app/bin/app": '#!/bin/sh\ncat "$FUSELAGE_BUNDLE_DIR/etc/word"\n', "app/x": "" },
  prepare: (cwd) => chmodSync(`${cwd}/app/bin/app`, 0o644),
  args: [
    ...["build", "app", "-o", "out", "--entry", "bin/app", "--chmod", "bin/*=+x"],
    ...["--file", "etc/word=words = here", "--chmod", "x=0"],
  ],
  async check(cwd) {
    const outcome = await asUser(`${cwd}/out`, [], cwd);
    expect(outcome).toMatchObject({ status: 0, stdout: "words = here" });
  },
} satisfies Case;
