import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  needs: ["python3"],
  files: { "hi.mjs": 'console.log("hi");', shim: '#!/bin/sh\nexec node "$@"\n' },
  args: ["build", "hi.mjs", "-o", "out", "--node", "/usr/bin/python3"],
  code: "E_NODE_INTERPRETER",
  stderr: /this program is no Node[\s\S]*node -p process\.execPath/,
  async check(cwd) {
    const shim = await bundle(["build", "hi.mjs", "-o", "out", "--node", "./shim"], { cwd });
    expect(shim).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("this script is no Node"),
    });
  },
} satisfies Case;
