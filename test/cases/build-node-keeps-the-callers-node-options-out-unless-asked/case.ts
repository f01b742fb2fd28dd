import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle, run } from "../../support/process.ts";

const main = "console.log([process.env.NODE_OPTIONS, process.env.NODE_PATH].join());";
const env = { NODE_OPTIONS: "--no-warnings", NODE_PATH: "/nonexistent" };

export default {
  needs: ["userns", "fuse"],
  files: { "main.cjs": main },
  args: ["build", "main.cjs", "-o", "out", "--node", "none"],
  async check(cwd) {
    expect(await run(`${cwd}/out`, [], { env })).toMatchObject({ stdout: ",\n", status: 0 });
    const args = ["build", "main.cjs", "-o", "open", "--node", "none", "--inherit-node-options"];
    expect(await bundle(args, { cwd })).toMatchObject({ status: 0 });
    const open = await run(`${cwd}/open`, [], { env });
    expect(open).toMatchObject({ stdout: "--no-warnings,/nonexistent\n", status: 0 });
  },
} satisfies Case;
