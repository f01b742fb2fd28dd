import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { run } from "../../support/process.ts";

export default {
  needs: ["userns", "fuse"],
  files: { "hi.mjs": 'console.log("hi", process.argv.slice(2).join());' },
  args: ["build", "hi.mjs", "-o", "out", "--node", "none"],
  async check(cwd) {
    const out = `${cwd}/out`;
    expect(await run(out, ["a b"])).toMatchObject({ stdout: "hi a b\n", status: 0 });
    const missing = await run(out, [], { env: { PATH: "/nonexistent" } });
    expect(missing).toMatchObject({ stdout: "", status: 127 });
    expect(missing.stderr).toBe(
      "hi: this app needs Node 20.19 or newer on this machine, and there is no node in PATH\n",
    );
  },
} satisfies Case;
