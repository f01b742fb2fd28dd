import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, "app/text": "of some length\n".repeat(50_000) },
  args: ["build", "app", "-o", "out", "--progress-fd", "2", "--json"],
  check(_, { stdout, stderr }) {
    expect(JSON.parse(stdout).output).toMatch(/out$/);
    const lines = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ type }) => type === "step").map(({ what }) => what)).toEqual([
      expect.stringMatching(/^compressing .* in 2 files$/),
    ]);
    const last = lines.filter(({ type }) => type === "progress").at(-1);
    expect(last).toMatchObject({ files: 2, totalFiles: 2 });
    expect(last.bytes).toBe(last.totalBytes);
  },
} satisfies Case;
