import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, other: { link: "app/bin" } },
  args: ["build", "app", "-o", "other/out"],
  code: "E_OUTPUT_INSIDE_INPUT",
} satisfies Case;
