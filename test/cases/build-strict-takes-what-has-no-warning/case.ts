import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  args: ["build", "app", "-o", "out", "--strict", "--json"],
  check(_, { stdout }) {
    expect(JSON.parse(stdout)).toMatchObject({ warnings: [] });
  },
} satisfies Case;
