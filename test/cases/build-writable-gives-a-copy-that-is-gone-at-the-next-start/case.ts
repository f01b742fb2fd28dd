import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";
import { startAsEveryone } from "../../support/start.ts";

const writer = `#!/bin/sh
set -e
cd "$FUSELAGE_BUNDLE_DIR"
echo before: * "$(cat data)"
echo changed > data
mkdir made
echo new > made/file
rm bin/other
rmdir folder
mkdir folder
echo after: * bin/* "$(cat data made/file)"
`;

export default {
  needs: ["userns", "fuse"],
  files: {
    "app/bin/app": writer,
    "app/bin/other": "x",
    "app/data": "old",
    "app/folder": { folder: true },
  },
  args: ["build", "app", "-o", "out", "--writable", "--entry", "bin/app"],
  async check(cwd) {
    const expected =
      "before: bin data folder old\nafter: bin data folder made bin/app changed\nnew\n";
    expect(await startAsEveryone(`${cwd}/out`, 2)).toEqual(Array(4).fill(expected));
    const { stdout } = await bundle(["inspect", "out"], { cwd });
    expect(stdout).toMatch(/writable +a private copy, gone at exit/);
  },
} satisfies Case;
