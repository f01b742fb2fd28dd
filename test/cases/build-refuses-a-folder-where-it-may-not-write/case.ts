import { chmodSync } from "node:fs";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  asUser: true,
  files: { ...smallApp, "readonly/file": "text" },
  prepare: (dir) => chmodSync(`${dir}/readonly`, 0o555),
  args: ["build", "app", "-o", "readonly/out"],
  code: "E_OUTPUT_PERMISSION",
} satisfies Case;
