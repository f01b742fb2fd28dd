import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle, run } from "../../support/process.ts";

/** What is called pure is left out in fast, and runs in strict, which is the default. */
export default {
  needs: ["userns", "fuse"],
  files: {
    "lib.mjs":
      "export const unused = /* @__PURE__ */ (() => { globalThis.seen = true; })();\nexport const used = 1;",
    "main.mjs": 'import { used } from "./lib.mjs";\nconsole.log(used, globalThis.seen);',
  },
  args: ["build", "main.mjs", "-o", "fast", "--node", "none", "--bundle=fast"],
  async check(cwd) {
    const built = await bundle(["build", "main.mjs", "-o", "strict", "--node", "none"], { cwd });
    expect(built.status).toBe(0);
    expect((await run(`${cwd}/fast`, [])).stdout).toBe("1 undefined\n");
    expect((await run(`${cwd}/strict`, [])).stdout).toBe("1 true\n");
  },
} satisfies Case;
