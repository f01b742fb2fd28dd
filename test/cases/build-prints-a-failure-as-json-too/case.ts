import { expect } from "vitest";
import type { Case } from "../../support/case.ts";

export default {
  args: ["build", "gone", "-o", "out", "--json"],
  code: "E_INPUT_MISSING",
  check(_, { stdout }) {
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "E_INPUT_MISSING", path: "gone" } });
  },
} satisfies Case;
