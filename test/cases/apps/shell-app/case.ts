import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { writeFiles } from "../../../support/case.ts";

/** A folder of scripts that call each other and read a file beside them. */
export default {
  make(dir) {
    const lib = 'greet() { sed "s/@/$1/" "$here/share/greeting"; }\n';
    const main =
      '#!/bin/sh\nset -eu\nhere=$(cd "$(dirname "$0")/.." && pwd)\n. "$here/lib/greet.sh"\n' +
      'for name in "$@"; do greet "$name"; done\n"$here/bin/count" "$@"\nexit 3\n';
    writeFiles(dir, {
      "tool/bin/tool": main,
      "tool/bin/count": '#!/bin/sh\necho "$# in all"\n',
      "tool/lib/greet.sh": lib,
      "tool/share/greeting": "Hello @!\n",
    });
    return ["tool"];
  },
  says: /^kind: plain \(the folder as it is\)$/m,
  async check({ run }) {
    expect(await run(["Ada", "two words"])).toMatchObject({
      stdout: "Hello Ada!\nHello two words!\n2 in all\n",
      stderr: "",
      status: 3,
    });
  },
} satisfies AppCase;
