import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, out: "the earlier output" },
  args: ["build", "app", "-o", "out", "--entry", "gone"],
  code: "E_ENTRY_MISSING",
} satisfies Case;
