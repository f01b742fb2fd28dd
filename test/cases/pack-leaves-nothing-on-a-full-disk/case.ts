import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { run } from "../../support/process.ts";

export default {
  needs: ["root"],
  files: { ...smallApp, "app/large": randomBytes(4 << 20), small: { folder: true } },
  args: ["pack", "app", "-o"],
  async run(cwd, command, args) {
    const script =
      'mount -t tmpfs -o size=1m none small; "$@"; status=$?; ls -A small; exit $status';
    const ends = ["sfs", "zip", "b64"].map((ending) => {
      const line = ["-c", script, "sh", command, ...args, `small/out.${ending}`];
      return run("unshare", ["--mount", "sh", ...line], { cwd });
    });
    const outcomes = await Promise.all(ends);
    for (const { stderr } of outcomes) expect(stderr).toMatch(/E_OUTPUT_NO_SPACE.*small\/out/);
    return outcomes[0] ?? { status: 0, signal: null, stdout: "", stderr: "" };
  },
  code: "E_OUTPUT_NO_SPACE",
  stdout: /^$/,
} satisfies Case;
