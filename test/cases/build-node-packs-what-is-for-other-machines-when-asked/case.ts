import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import {
  files,
  namesIn,
} from "../build-node-leaves-out-what-packages-hold-for-other-machines/case.ts";

export default {
  files,
  args: ["build", "app", "-o", "out", "--node", "none", "--keep-foreign"],
  stderr: /^$/,
  async check(cwd) {
    expect(await namesIn(cwd, "app/node_modules/searcher/vendor")).toEqual([
      "[three]/search",
      "four/search.dylib",
      "one/search",
      "two/search",
      "win32-x64.txt",
    ]);
  },
} satisfies Case;
