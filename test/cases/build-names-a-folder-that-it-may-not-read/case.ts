import { chmodSync } from "node:fs";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  asUser: true,
  files: { ...smallApp, "app/data/file": "text" },
  prepare: (dir) => chmodSync(`${dir}/app/data`, 0o000),
  args: ["build", "app", "-o", "out"],
  code: "E_FILE_UNREADABLE",
  stderr: /app\/data: .*permission denied/,
} satisfies Case;
